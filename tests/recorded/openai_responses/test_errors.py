"""Recorded failures, told by a status or within an answer, become the right class with the vendor's words."""

from collections.abc import Mapping

import pytest

from recorded_responses import RESPONSES, target_of
from recorded_traffic import Record
from trunkline.errors import GatewayError, ProviderBadAnswerError, RejectedByProviderError
from trunkline.v1 import StreamCompleteResponse
from trunkline_bridge.errors import answer
from trunkline_server.dialects.openai_responses import OpenAIResponses
from trunkline_server.routing.failures import FailureClass, classify

# By the vendor's code, and for others by the status: the class, and the status that a client gets.
MEANINGS: Mapping[str | int, tuple[type[GatewayError], int]] = {
    400: (RejectedByProviderError, 400),
    "queued": (ProviderBadAnswerError, 502),
}
# Enough of the vendor's words to know them by; redaction may change what comes later.
WORDS_CHARS = 60


def told(record: Record) -> GatewayError:
    """The failure that the gateway makes of the record."""
    dialect = OpenAIResponses()
    if record.status // 100 != 2:
        return dialect.error(target_of(record), record.status, record.headers, record.body)
    with pytest.raises(GatewayError) as caught:
        dialect.decoder(target_of(record)).whole(record.body, StreamCompleteResponse().events)
    return caught.value


def meaning_of(record: Record) -> tuple[type[GatewayError], int]:
    error = RESPONSES.error_in(record) or {}
    return MEANINGS.get(error.get("code") or "") or MEANINGS[record.status]


def test_a_failure_has_its_class(error_record: Record) -> None:
    assert type(told(error_record)) is meaning_of(error_record)[0]


def test_a_failure_keeps_the_vendors_words(error_record: Record) -> None:
    assert (RESPONSES.error_in(error_record) or {})["message"][:WORDS_CHARS] in told(error_record).message


def test_a_client_sees_the_status_and_the_vendors_code(error_record: Record) -> None:
    failure, code = told(error_record), (RESPONSES.error_in(error_record) or {}).get("code")
    shown = answer(failure, retry_after_s=1)
    assert shown.status == meaning_of(error_record)[1]
    if isinstance(failure, RejectedByProviderError) and isinstance(code, str):
        assert shown.code == code


def test_a_model_that_the_provider_has_not_is_sought_elsewhere(error_record: Record) -> None:
    failure = told(error_record)
    assert (classify(failure) is FailureClass.TARGET) == (failure.provider_code == "model_not_found")
