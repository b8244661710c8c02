"""Recorded requests, said in the contract's terms, reach a provider of the same kind with the same meaning."""

import json

import pytest

from recorded_responses import target_of
from recorded_traffic import Json, Record
from responses_asking import meaning, read_request
from trunkline.errors import UnsupportedByModelError
from trunkline.v1 import CompleteRequest
from trunkline_server.config.settings import Limits
from trunkline_server.dialects.openai_responses import OpenAIResponses
from trunkline_server.engine.validation import validate


def asked(record: Record) -> tuple[Json, CompleteRequest]:
    body = record.request or {}
    return body, read_request(body)


def test_a_request_is_valid(request_record: Record) -> None:
    _, request = asked(request_record)
    if request.HasField("temperature") and request.temperature < 0:
        return  # which its provider refused as well
    validate(request, Limits())


def test_a_request_means_the_same_to_its_provider(request_record: Record) -> None:
    body, request = asked(request_record)
    wire = OpenAIResponses().encode(request, target_of(request_record), stream=bool(body.get("stream")))
    sent = json.loads(wire.body)
    assert meaning(sent) == meaning(body)
    assert {*(body.get("include") or ())} <= {*sent.get("include", ()), "reasoning.encrypted_content"}


def test_a_request_to_answer_in_the_background_is_refused(request_record: Record) -> None:
    body, request = asked(request_record)
    if not body.get("background"):
        return
    request.extensions["openai_responses"] = json.dumps({"background": True})
    with pytest.raises(UnsupportedByModelError):
        OpenAIResponses().encode(request, target_of(request_record), stream=False)
