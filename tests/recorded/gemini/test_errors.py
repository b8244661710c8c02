"""Recorded failures, told by a status or within an answer, become the right class with the vendor's words."""

from collections.abc import Mapping

import pytest

from recorded_gemini import GEMINI, target_of
from recorded_traffic import Record
from trunkline.errors import GatewayError, MalformedToolCallError, RejectedByProviderError
from trunkline.v1 import StreamCompleteResponse
from trunkline_bridge.errors import answer
from trunkline_server.dialects.gemini import Gemini

# By the vendor's word: the class, and the status that a client gets.
MEANINGS: Mapping[str, tuple[type[GatewayError], int]] = {
    "INVALID_ARGUMENT": (RejectedByProviderError, 400),
    "NOT_FOUND": (RejectedByProviderError, 404),
    "UNEXPECTED_TOOL_CALL": (MalformedToolCallError, 502),
}


def told(record: Record) -> GatewayError:
    """The failure that the gateway makes of the record."""
    if record.status // 100 != 2:
        return Gemini().error(target_of(record), record.status, record.headers, record.body)
    with pytest.raises(GatewayError) as caught:
        Gemini().decoder(target_of(record)).whole(record.body, StreamCompleteResponse().events)
    return caught.value


def word_of(record: Record) -> str:
    return str((GEMINI.error_in(record) or {})["status"])


def test_a_failure_has_its_class(error_record: Record) -> None:
    failure = told(error_record)
    assert (type(failure), failure.provider_code) == (MEANINGS[word_of(error_record)][0], word_of(error_record))


def test_a_failure_keeps_the_vendors_words(error_record: Record) -> None:
    failure, error = told(error_record), GEMINI.error_in(error_record) or {}
    if isinstance(failure, RejectedByProviderError):
        # Enough to know them by; redaction may change what comes later.
        assert error["message"][:50] in failure.message


def test_a_client_sees_the_status(error_record: Record) -> None:
    assert answer(told(error_record), retry_after_s=1).status == MEANINGS[word_of(error_record)][1]
