import pytest

from trunkline.v1 import AttemptOutcome, ErrorReason, Failure
from trunkline_server.telemetry import outcomes

NO_FAILURE = ("answered", "OK")
FAILURES = {
    "a provider's": (
        Failure(code=14, reason=ErrorReason.ERROR_REASON_PROVIDER_SILENT),
        ("failed", "UNAVAILABLE", "provider_silent", "ProviderSilentError"),
    ),
    "the caller left": (
        Failure(code=1, reason=ErrorReason.ERROR_REASON_CANCELLED),
        ("cancelled", "CANCELLED", "cancelled", "CancelledByCallerError"),
    ),
    "a reason newer than this": (
        Failure.FromString(b"\x08\x0d\x18\x4f"),  # code 13, reason 79
        ("failed", "INTERNAL", "internal", "GatewayError"),
    ),
    "a code newer than this": (Failure(code=99), ("failed", "UNKNOWN", "unknown", "GatewayError")),
}


@pytest.mark.parametrize(("failure", "spelled"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_spelled_alike_everywhere(failure: Failure, spelled: tuple[str, ...]) -> None:
    assert spelled == (
        outcomes.outcome(failure),
        outcomes.status_name(failure),
        outcomes.reason_name(failure),
        outcomes.error_name(failure),
    )


def test_no_failure_is_an_answer() -> None:
    assert (outcomes.outcome(None), outcomes.status_name(None)) == NO_FAILURE


def test_every_reason_and_outcome_of_the_contract_has_a_name_of_its_own() -> None:
    reasons = [reason for reason in ErrorReason.values() if reason]
    assert len({outcomes.reason_name(Failure(reason=reason)) for reason in reasons}) == len(reasons)
    assert outcomes.OUTCOMES.keys() == set(AttemptOutcome.values())
    assert len(set(outcomes.OUTCOMES.values())) == len(outcomes.OUTCOMES)


@pytest.mark.parametrize("code", ["context_length_exceeded", "429", "RESOURCE_EXHAUSTED", "a.b:c/d-e", "x" * 64])
def test_a_code_is_told(code: str) -> None:
    assert outcomes.provider_code(Failure(provider_code=code)) == code


@pytest.mark.parametrize("code", ["", "two words", "x" * 65, "line\nbreak", "é", '{"message":"m"}'])
def test_what_may_be_more_than_a_code_is_not_told(code: str) -> None:
    assert outcomes.provider_code(Failure(provider_code=code)) == ""


def test_long_names_are_cut() -> None:
    assert outcomes.bounded("x" * 256) == "x" * 256
    assert outcomes.bounded("x" * 1_000_000) == "x" * 256
