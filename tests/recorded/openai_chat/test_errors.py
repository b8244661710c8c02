"""Recorded failures, told by a status or within an answer, become the right class with the vendor's words."""

from collections.abc import Mapping

import pytest

from recorded_chat import CHAT, target_of
from recorded_traffic import Record
from trunkline.errors import (
    ContentFilterError,
    GatewayError,
    MalformedToolCallError,
    ProviderThrottledError,
    RejectedByProviderError,
)
from trunkline.v1 import StreamCompleteResponse
from trunkline_bridge.errors import answer
from trunkline_server.dialects.openai_chat import OpenAIChat
from trunkline_server.transport.sse import SseParser

# By the vendor's code, and for those that give none by the status: the class, and the status that a client gets.
MEANINGS: Mapping[str | int, tuple[type[GatewayError], int]] = {
    400: (RejectedByProviderError, 400),
    404: (RejectedByProviderError, 404),
    429: (ProviderThrottledError, 429),
    "content_filter": (ContentFilterError, 400),
    "tool_use_failed": (MalformedToolCallError, 502),
}

# Enough of the vendor's words to know them by; redaction may change what comes later.
WORDS_CHARS = 60


def told(record: Record) -> GatewayError:
    """The failure that the gateway makes of the record."""
    if record.status // 100 != 2:
        return OpenAIChat().error(target_of(record), record.status, record.headers, record.body)
    with pytest.raises(GatewayError) as caught:
        decode(record)
    return caught.value


def decode(record: Record) -> None:
    decoder, events, parser = OpenAIChat().decoder(target_of(record)), StreamCompleteResponse().events, SseParser()
    if not record.stream:
        decoder.whole(record.body, events)
    for frame in parser.feed(record.body):
        decoder.feed(frame, events)


def meaning_of(record: Record) -> tuple[type[GatewayError], int]:
    error = CHAT.error_in(record) or {}
    return MEANINGS.get(error.get("code", "")) or MEANINGS[error.get("status_code", record.status)]


def test_a_failure_has_its_class(error_record: Record) -> None:
    assert type(told(error_record)) is meaning_of(error_record)[0]


def test_a_failure_keeps_the_vendors_words(error_record: Record) -> None:
    failure, error = told(error_record), CHAT.error_in(error_record) or {}
    if isinstance(failure, ProviderThrottledError):
        # Its words may name accounts and limits of the gateway: they are for its operator.
        assert failure.message == f"provider {error_record.provider} limits the rate of requests"
    else:
        assert error["message"][:WORDS_CHARS] in failure.message


def test_a_client_sees_the_status_and_the_vendors_code(error_record: Record) -> None:
    failure, code = told(error_record), (CHAT.error_in(error_record) or {}).get("code")
    shown = answer(failure, retry_after_s=1)
    assert shown.status == meaning_of(error_record)[1]
    if isinstance(failure, RejectedByProviderError) and isinstance(code, str):
        assert shown.code == code
