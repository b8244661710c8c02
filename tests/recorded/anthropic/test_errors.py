"""Recorded failures become the right class with the vendor's words."""

from collections.abc import Mapping

from recorded_messages import MESSAGES, target_of
from recorded_traffic import Record
from trunkline.errors import GatewayError, RejectedByProviderError
from trunkline_server.dialects.anthropic import Anthropic

MEANINGS: Mapping[str, type[GatewayError]] = {"not_found_error": RejectedByProviderError}


def test_a_failure_has_its_class_and_the_vendors_words(error_record: Record) -> None:
    error = MESSAGES.error_in(error_record) or {}
    failure = Anthropic().error(target_of(error_record), error_record.status, error_record.headers, error_record.body)
    assert type(failure) is MEANINGS[error["type"]]
    assert error["message"] in failure.message
    assert (failure.provider_code, failure.provider_status) == (error["type"], error_record.status)
    assert "request_id" in failure.native
