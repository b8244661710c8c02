"""Statuses stay small enough for any peer, and those that are not ours still become typed errors."""

from collections.abc import Iterable

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from grpc_serving import served
from scripted_gateway import ScriptedGateway, refuses
from trunkline import errors
from trunkline.errors import GatewayError
from trunkline.status import (
    DETAILS_KEY,
    MAX_DETAILS_BYTES,
    MAX_REPORT_BYTES,
    REPORT_KEY,
    from_rpc_error,
    shortened,
    status_code,
    status_message,
    trailers,
)
from trunkline.v1 import Attempt, CompleteRequest, CompletionServiceStub, FieldViolation, RoutingReport


def rpc_error(
    code: grpc.StatusCode, details: str = "", trailing: Iterable[tuple[str, str | bytes]] = ()
) -> grpc.aio.AioRpcError:
    """An error as a call raises it."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details)


def verbose_report(attempts: int) -> RoutingReport:
    """A report of attempts that have much to say."""
    report = RoutingReport(route="fast", duration_us=1)
    for number in range(attempts):
        attempt = report.attempts.add(target=f"p/m{number}")
        attempt.failure.native = "n" * 700
        attempt.usage.native = "u" * 300
        for _ in range(5):
            attempt.notes.add(field="temperature", reason="r" * 40)
    return report


HUGE = errors.InvalidRequestError(
    "語" * 3000,
    retry_after_ms=1,
    violations=[FieldViolation(field="f" * 300, description="語" * 900) for _ in range(40)],
    provider_code="c" * 4000,
    native="語" * 4000,
    target="t" * 4000,
)
HUGE.report = verbose_report(40)


async def test_a_failure_of_any_size_reaches_a_plain_client() -> None:
    """gRPC kills a call whose metadata is beyond 8 KiB, and then nobody learns anything."""
    async with served(ScriptedGateway(refuses(HUGE))) as address, grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CompletionServiceStub(channel).Complete(CompleteRequest())
    failure = from_rpc_error(caught.value)
    assert type(failure) is errors.InvalidRequestError
    assert failure.message == "語" * 128
    assert failure.violations[0] == FieldViolation(field="f" * 128, description="語" * 85)
    assert failure.native == ""
    assert failure.report is not None
    assert failure.report.attempts[-1].target == "p/m39"


def test_trailers_keep_to_their_share() -> None:
    sizes = {name: len(value) for name, value in trailers(HUGE)}
    assert sizes[DETAILS_KEY] <= MAX_DETAILS_BYTES
    assert sizes[REPORT_KEY] <= MAX_REPORT_BYTES


def test_a_report_that_fits_is_sent_as_it_is() -> None:
    report = verbose_report(1)
    assert shortened(report) is report


@pytest.mark.parametrize(("attempts", "kept", "notes"), [(3, 3, 5), (6, 6, 5), (16, 16, 0), (400, None, 0)], ids=str)
def test_what_is_least_telling_goes_first(attempts: int, kept: int | None, notes: int) -> None:
    report = verbose_report(attempts)
    before = RoutingReport.FromString(report.SerializeToString())
    short = shortened(report)
    assert report == before, "messages are immutable once handed over"
    assert short.ByteSize() <= MAX_REPORT_BYTES
    assert len(short.attempts) == kept or kept is None
    assert len(short.attempts[-1].notes) == notes
    assert short.attempts[-1].target == f"p/m{attempts - 1}"
    assert {attempt.failure.native + attempt.usage.native for attempt in short.attempts} == {""}


def test_shortening_makes_no_failure_where_there_was_none() -> None:
    report = RoutingReport(warnings=["w" * 5000], attempts=[Attempt(target="p/m")])
    short = shortened(report)
    assert [attempt.HasField("failure") for attempt in short.attempts] == []
    assert short.ByteSize() <= MAX_REPORT_BYTES


def test_text_that_utf8_cannot_hold_is_replaced() -> None:
    error = errors.InvalidRequestError("half of a pair: \ud800", native="\ud800", target="\ud800")
    found = from_rpc_error(rpc_error(status_code(error), status_message(error), trailers(error)))
    assert found.message == "half of a pair: ?"


@pytest.mark.parametrize(
    ("code", "details", "cls"),
    [
        (grpc.StatusCode.UNAVAILABLE, "connection refused", errors.GatewayUnreachableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", errors.DeadlineError),
        (grpc.StatusCode.CANCELLED, "cancelled", errors.CancelledByCallerError),
        (grpc.StatusCode.UNAUTHENTICATED, "", errors.BadKeyError),
        (grpc.StatusCode.PERMISSION_DENIED, "", errors.NotAllowedError),
        (grpc.StatusCode.INVALID_ARGUMENT, "", errors.InvalidRequestError),
        (grpc.StatusCode.NOT_FOUND, "", errors.NotFoundError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many streams", errors.OverloadedError),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "SERVER: Received message larger than max (2 vs. 1)",
            errors.RequestTooLargeError,
        ),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "CLIENT: Sent message larger than max (2 vs. 1)",
            errors.RequestTooLargeError,
        ),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "CLIENT: Received message larger than max (2 vs. 1)", GatewayError),
        (grpc.StatusCode.UNIMPLEMENTED, "", GatewayError),
        (grpc.StatusCode.INTERNAL, "stream reset", GatewayError),
    ],
)
def test_a_status_of_grpc_itself_becomes_what_it_means(
    code: grpc.StatusCode, details: str, cls: type[GatewayError]
) -> None:
    error = from_rpc_error(rpc_error(code, details))
    assert type(error) is cls
    assert error.code == code.value[0]
    assert details in error.message
    assert error.message


def foreign_details(domain: str, reason: str, **labels: str) -> bytes:
    """Details that are not of this gateway, or not of this version."""
    status = status_pb2.Status(code=8, message="told by details")
    status.details.add().Pack(error_details_pb2.ErrorInfo(domain=domain, reason=reason, metadata=labels))
    status.details.add().Pack(error_details_pb2.Help())
    return bytes(status.SerializeToString())


@pytest.mark.parametrize(
    ("raw", "cls", "message"),
    [
        (b"\xffnot a message", errors.OverloadedError, "told by gRPC"),
        (foreign_details("mesh.example", "RATE_LIMITED"), errors.OverloadedError, "told by gRPC"),
        (foreign_details("trunkline", "OF_A_KIND_YET_TO_COME"), GatewayError, "told by details"),
        (foreign_details("trunkline", "RATE_LIMITED", provider_status="?"), errors.RateLimitedError, "told by details"),
    ],
    ids=["broken", "foreign", "newer", "odd label"],
)
def test_details_are_believed_as_far_as_they_can_be_read(raw: bytes, cls: type[GatewayError], message: str) -> None:
    error = from_rpc_error(
        rpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "told by gRPC", [(DETAILS_KEY, raw), (REPORT_KEY, b"\xff")])
    )
    assert (type(error), error.code, error.message) == (cls, 8, message)
    assert error.report is None


def test_a_failure_is_never_ok() -> None:
    error = GatewayError("odd")
    assert [status_code(with_code(error, code)) for code in (0, 99)] == [grpc.StatusCode.UNKNOWN] * 2


def with_code(error: GatewayError, code: int) -> GatewayError:
    """The error with another status number."""
    error.code = code
    return error
