"""Failures as gRPC statuses with google.rpc details, both ways.

See https://cloud.google.com/apis/design/errors and protos/trunkline/v1/error.proto for what stands where.
"""

from collections.abc import Iterable
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from trunkline.errors import (
    BY_REASON,
    BadKeyError,
    CancelledByCallerError,
    DeadlineError,
    GatewayError,
    GatewayUnreachableError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RequestTooLargeError,
)
from trunkline.v1 import ErrorReason, FieldViolation, RoutingReport

DETAILS_KEY = "grpc-status-details-bin"
REPORT_KEY = "trunkline-report-bin"
DOMAIN = "trunkline"

# A call whose metadata grows past 8 KiB (16 KiB at some peers) is killed, and binary values grow by a third on the
# wire: the report may take 4 KiB and the details a little over 2.
MAX_REPORT_BYTES = 4096
MAX_MESSAGE_CHARS = 512
MAX_NATIVE_CHARS = 512
MAX_VIOLATIONS = 5

_REASON_PREFIX = "ERROR_REASON_"
_CODES = {code.value[0]: code for code in grpc.StatusCode}

# What a status without our details means: it was made by gRPC itself, here or at the peer.
_BARE = {
    grpc.StatusCode.UNAVAILABLE: GatewayUnreachableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.CANCELLED: CancelledByCallerError,
    grpc.StatusCode.UNAUTHENTICATED: BadKeyError,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
}


def status_code(error: GatewayError) -> grpc.StatusCode:
    return _CODES.get(error.code, grpc.StatusCode.UNKNOWN)


def status_message(error: GatewayError) -> str:
    """The message, short enough for a header."""
    return error.message[:MAX_MESSAGE_CHARS]


def trailers(error: GatewayError) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata that makes a status tell the whole failure."""
    found = [(DETAILS_KEY, _details(error).SerializeToString())]
    if error.report is not None:
        found.append((REPORT_KEY, shortened(error.report).SerializeToString()))
    return tuple(found)


def shortened(report: RoutingReport) -> RoutingReport:
    """The report, with what is least telling cut until it fits a trailer."""
    if report.ByteSize() <= MAX_REPORT_BYTES:
        return report
    short = RoutingReport()
    short.CopyFrom(report)
    for attempt in short.attempts:
        del attempt.notes[:]
        attempt.failure.ClearField("native")
    while short.ByteSize() > MAX_REPORT_BYTES and short.attempts:
        del short.attempts[0]
    return short


def from_rpc_error(error: grpc.RpcError) -> GatewayError:
    """The exception for the status a call ended with, sync or async."""
    code, message, metadata = error.code(), error.details() or "", error.trailing_metadata()
    raw = _value(metadata or (), DETAILS_KEY)
    if raw is None:
        return _bare(code, message)
    status = status_pb2.Status.FromString(raw)
    found = _from_details(status)
    if (report := _value(metadata or (), REPORT_KEY)) is not None:
        found.report = RoutingReport.FromString(report)
    return found


def _bare(code: grpc.StatusCode, message: str) -> GatewayError:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in message:
        return RequestTooLargeError(f"a gRPC message is too large: {message}")
    found = _BARE.get(code, GatewayError)(message or code.name)
    found.code = code.value[0]
    return found


def _details(error: GatewayError) -> status_pb2.Status:
    status = status_pb2.Status(code=error.code, message=status_message(error))
    info = error_details_pb2.ErrorInfo(
        reason=ErrorReason.Name(error.reason).removeprefix(_REASON_PREFIX), domain=DOMAIN
    )
    for key, value in (
        ("target", error.target),
        ("provider_code", error.provider_code),
        ("provider_status", str(error.provider_status or "")),
        ("native", error.native if len(error.native) <= MAX_NATIVE_CHARS else ""),
    ):
        if value:
            info.metadata[key] = value
    status.details.add().Pack(info)
    if error.retry_after_ms is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(error.retry_after_ms)
        status.details.add().Pack(retry)
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations[:MAX_VIOLATIONS]:
            bad.field_violations.add(field=violation.field, description=violation.description[:MAX_MESSAGE_CHARS])
        status.details.add().Pack(bad)
    return status


def _from_details(status: status_pb2.Status) -> GatewayError:
    info = error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    bad = error_details_pb2.BadRequest()
    retry_after_ms = None
    for detail in status.details:
        if detail.Unpack(retry):
            retry_after_ms = retry.retry_delay.ToMilliseconds()
        elif not detail.Unpack(info):
            detail.Unpack(bad)
    name = _REASON_PREFIX + info.reason
    reason = (
        ErrorReason.Value(name)
        if info.domain == DOMAIN and name in ErrorReason.keys()  # noqa: SIM118 an enum wrapper, not a dict
        else ErrorReason.ERROR_REASON_UNSPECIFIED
    )
    error = BY_REASON.get(reason, GatewayError)(
        status.message,
        retry_after_ms=retry_after_ms,
        violations=[FieldViolation(field=v.field, description=v.description) for v in bad.field_violations],
        provider_code=info.metadata.get("provider_code", ""),
        provider_status=int(info.metadata.get("provider_status", "0")),
        native=info.metadata.get("native", ""),
        target=info.metadata.get("target", ""),
    )
    error.code = status.code
    return error


def _value(metadata: Iterable[Any], key: str) -> bytes | None:
    for name, value in metadata:
        if name == key:
            return value if isinstance(value, bytes) else value.encode()
    return None
