"""Recorded requests are understood, and reach a provider of the same kind with the same meaning."""

import json

from recorded_chat import target_of
from recorded_traffic import Record
from trunkline_bridge.json_text import read_object
from trunkline_bridge.openai.chat_request import ChatAsk, read_chat_request
from trunkline_bridge.settings import BridgeSettings
from trunkline_server.config.settings import Limits
from trunkline_server.dialects.openai_chat import OpenAIChat
from trunkline_server.engine.validation import validate
from wire_request import differences, read_request

SETTINGS = BridgeSettings()


def understood(record: Record) -> ChatAsk:
    body = read_object(json.dumps(record.request).encode(), max_nesting=SETTINGS.max_nesting)
    return read_chat_request(body, max_messages=SETTINGS.max_messages)


def test_a_request_is_valid(request_record: Record) -> None:
    validate(understood(request_record).request, Limits())


def test_a_request_means_the_same_to_its_provider(request_record: Record) -> None:
    ask = understood(request_record)
    wire = OpenAIChat().encode(ask.request, target_of(request_record), stream=ask.stream)
    assert differences(read_request(request_record.request or {}), read_request(json.loads(wire.body))) == {}
