"""The table of failures."""

import pytest

from trunkline.errors import (
    BY_REASON,
    ContextLengthError,
    GatewayError,
    ProviderBadAnswerError,
    ProviderUnavailableError,
    RejectedByProviderError,
)
from trunkline.v1 import ErrorReason
from trunkline_server.routing.failures import CLASSES, TREATMENTS, FailureClass, classify


def test_every_reason_has_a_class_and_every_class_a_treatment() -> None:
    known = set(ErrorReason.values()) - {ErrorReason.ERROR_REASON_UNSPECIFIED}
    assert set(CLASSES) == known == set(BY_REASON) - {ErrorReason.ERROR_REASON_UNSPECIFIED}
    assert set(TREATMENTS) == set(FailureClass)


def test_what_is_not_known_ends_the_request() -> None:
    error = GatewayError("?")
    error.reason = ErrorReason.ValueType(99)
    assert classify(error) is FailureClass.ENDED


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RejectedByProviderError("no", provider_status=400), FailureClass.REQUEST),
        (RejectedByProviderError("no", provider_status=404), FailureClass.TARGET),
        (RejectedByProviderError("no", provider_status=413), FailureClass.WINDOW),
        (RejectedByProviderError("no", provider_status=422), FailureClass.REQUEST),
        (ContextLengthError("no", provider_status=400), FailureClass.WINDOW),
        (ProviderBadAnswerError("moved", provider_status=307), FailureClass.TARGET),
        (ProviderBadAnswerError("nonsense", provider_status=200), FailureClass.TRANSIENT),
        (ProviderUnavailableError("down", provider_status=404), FailureClass.TRANSIENT),
    ],
)
def test_the_status_tells_what_the_reason_does_not(error: GatewayError, expected: FailureClass) -> None:
    assert classify(error) is expected


def test_refused_content_and_silence_are_never_asked_again_of_the_same() -> None:
    for failure in (FailureClass.REFUSED, FailureClass.SILENT, FailureClass.REQUEST, FailureClass.ENDED):
        assert not TREATMENTS[failure].retry_same
    for failure in (FailureClass.REFUSED, FailureClass.REQUEST, FailureClass.ENDED):
        assert not TREATMENTS[failure].try_next
