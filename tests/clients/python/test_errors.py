"""Each failure of the contract is one exception, and is the same after any way between gateway and client."""

import re
from collections.abc import Callable

import grpc
import pytest

from repository import ROOT
from trunkline import errors
from trunkline.errors import BY_REASON, GatewayError, GatewayUnreachableError, from_failure
from trunkline.status import from_rpc_error, status_code, status_message, trailers
from trunkline.v1 import ErrorReason, FieldViolation, RoutingReport

CODES = {code.value[0]: code.name for code in grpc.StatusCode}


def as_message(error: GatewayError) -> GatewayError:
    """The error after it travelled in a message."""
    return from_failure(error.to_failure())


def as_status(error: GatewayError) -> GatewayError:
    """The error after it travelled as the status of a call."""
    return from_rpc_error(
        grpc.aio.AioRpcError(
            status_code(error), grpc.aio.Metadata(), grpc.aio.Metadata(*trailers(error)), status_message(error)
        )
    )


FORMS = {"message": as_message, "status": as_status}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("cls", BY_REASON.values())
def test_a_failure_arrives_whole(cls: type[GatewayError], form: Callable[[GatewayError], GatewayError]) -> None:
    error = cls(
        "what failed, and what to do: ü",
        retry_after_ms=1250,
        violations=[FieldViolation(field="messages[0]", description="is empty"), FieldViolation(field="model")],
        provider_code="bad_thing",
        provider_status=418,
        native='{"error": "teapot"}',
        target="provider/model",
    )
    arrived = form(error)
    assert type(arrived) is cls
    assert arrived.to_failure() == error.to_failure()
    assert (str(arrived), arrived.violations) == (str(error), error.violations)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("cls", BY_REASON.values())
def test_a_failure_of_few_words_arrives_whole(
    cls: type[GatewayError], form: Callable[[GatewayError], GatewayError]
) -> None:
    arrived = form(cls("no"))
    assert type(arrived) is cls
    assert arrived.to_failure() == cls("no").to_failure()
    assert arrived.retry_after_ms is None


def test_no_wait_is_not_the_same_as_not_knowing() -> None:
    error = errors.OverloadedError("busy", retry_after_ms=0)
    assert [form(error).retry_after_ms for form in FORMS.values()] == [0, 0]


def test_the_report_travels_with_the_status() -> None:
    error = errors.ProviderSilentError("silent")
    error.report = RoutingReport(route="fast", duration_us=12)
    assert as_status(error).report == error.report


def test_every_reason_has_its_own_class() -> None:
    assert set(BY_REASON) == set(ErrorReason.values()) - {ErrorReason.ERROR_REASON_UNSPECIFIED}
    assert len(set(BY_REASON.values())) == len(BY_REASON)


def test_codes_are_those_that_the_contract_promises() -> None:
    source = (ROOT / "protos/trunkline/v1/error.proto").read_text()
    promised = re.findall(r"\[([A-Z_]+)[;\]][^\[]*?(ERROR_REASON_\w+) =", source)
    assert {name: code for code, name in promised} == {
        ErrorReason.Name(cls.reason): CODES[cls.code] for cls in BY_REASON.values()
    }


def test_a_reason_newer_than_this_client_keeps_its_status() -> None:
    failure = errors.OverloadedError("of a kind yet to come").to_failure()
    failure.reason = 777  # type: ignore[assignment] # numbers that a newer gateway may send
    arrived = from_failure(failure)
    assert type(arrived) is GatewayError
    assert arrived.to_failure() == failure
    # A bridge between may have to pass it on as a status, which names reasons.
    passed_on = as_status(arrived)
    assert (type(passed_on), passed_on.code, passed_on.message) == (GatewayError, 8, "of a kind yet to come")


def test_only_clients_say_unreachable() -> None:
    assert GatewayUnreachableError not in BY_REASON.values()


def test_an_error_at_a_field_names_it_to_people_and_programs() -> None:
    error = errors.InvalidRequestError.at_field("messages[0].role", "is required")
    assert str(error) == "messages[0].role: is required"
    assert error.violations == (FieldViolation(field="messages[0].role", description="is required"),)
