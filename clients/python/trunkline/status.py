"""Failures as gRPC statuses with google.rpc details, both ways.

See https://cloud.google.com/apis/design/errors and protos/trunkline/v1/error.proto for what stands where.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from trunkline.errors import (
    BY_REASON,
    BadKeyError,
    CancelledByCallerError,
    DeadlineError,
    GatewayError,
    GatewayUnreachableError,
    InvalidRequestError,
    NotAllowedError,
    NotFoundError,
    OverloadedError,
    RequestTooLargeError,
)
from trunkline.metadata import REQUEST_ID
from trunkline.v1 import ErrorReason, FieldViolation, RoutingReport

DETAILS_KEY = "grpc-status-details-bin"
REPORT_KEY = "trunkline-report-bin"
DOMAIN = "trunkline"

# A call whose metadata grows past 8 KiB (16 KiB at some peers) is killed. On the wire a binary value is base64 and
# grows by a third, and a byte of the message that is not printable ASCII takes three: 4096 + 2731 + 1152 at worst.
MAX_REPORT_BYTES = 3072
MAX_DETAILS_BYTES = 2048
MAX_MESSAGE_BYTES = 384
MAX_NATIVE_BYTES = 512
MAX_LABEL_BYTES = 128
MAX_DESCRIPTION_BYTES = 256

_REASON_PREFIX = "ERROR_REASON_"
_REASONS = {number: name.removeprefix(_REASON_PREFIX) for name, number in ErrorReason.items()}
_REASON_NUMBERS = {name: number for number, name in _REASONS.items()}
_CODES = {code.value[0]: code for code in grpc.StatusCode}

# What a status without our details means: it was made by gRPC itself, here or at the peer.
_BARE = {
    grpc.StatusCode.UNAVAILABLE: GatewayUnreachableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.CANCELLED: CancelledByCallerError,
    grpc.StatusCode.UNAUTHENTICATED: BadKeyError,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowedError,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
}


def status_code(error: GatewayError) -> grpc.StatusCode:
    """The status that the error's call ends with; UNKNOWN if gRPC has none of its number."""
    code = _CODES.get(error.code, grpc.StatusCode.UNKNOWN)
    return code if code is not grpc.StatusCode.OK else grpc.StatusCode.UNKNOWN


def status_message(error: GatewayError) -> str:
    """The message, short enough for a header."""
    return _cut(error.message, MAX_MESSAGE_BYTES)


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
        if attempt.HasField("failure"):
            attempt.failure.ClearField("native")
        if attempt.HasField("usage"):
            attempt.usage.ClearField("native")
    if short.ByteSize() > MAX_REPORT_BYTES:
        for attempt in short.attempts:
            del attempt.notes[:]
    while short.ByteSize() > MAX_REPORT_BYTES and short.attempts:
        del short.attempts[0]
    if short.ByteSize() > MAX_REPORT_BYTES:
        del short.warnings[:]
    return short


def from_rpc_error(error: grpc.RpcError) -> GatewayError:
    """The exception for the status a call ended with, sync or async."""
    code, message, metadata = error.code(), error.details() or "", error.trailing_metadata() or ()
    found = _detailed(_value(metadata, DETAILS_KEY)) or _bare(code, message)
    if (report := _value(metadata, REPORT_KEY)) is not None:
        with suppress(DecodeError):
            found.report = RoutingReport.FromString(report)
    found.request_id = (_value(metadata, REQUEST_ID) or b"").decode()
    return found


def _detailed(raw: bytes | None) -> GatewayError | None:
    """The failure that a gateway told; None if the details are absent or somebody else's."""
    if raw is None:
        return None
    try:
        return _from_details(status_pb2.Status.FromString(raw))
    except DecodeError:
        return None


def _bare(code: grpc.StatusCode, message: str) -> GatewayError:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in message:
        return _too_large(message)
    found = _BARE.get(code, GatewayError)(message or code.name)
    found.code = code.value[0]
    return found


def _too_large(message: str) -> GatewayError:
    """gRPC says who gave up: "CLIENT: Received message larger than max (5003 vs. 1500)"."""
    if "CLIENT: Received" not in message and "SERVER: Sent" not in message:
        return RequestTooLargeError(f"the request is too large: {message}")
    error = GatewayError(f"the answer is too large: {message}")
    error.code = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    return error


def _details(error: GatewayError) -> status_pb2.Status:
    status = status_pb2.Status(code=error.code, message=status_message(error))
    info = error_details_pb2.ErrorInfo(reason=_REASONS.get(error.reason, "UNSPECIFIED"), domain=DOMAIN)
    for key, value in (
        ("target", _cut(error.target, MAX_LABEL_BYTES)),
        ("provider_code", _cut(error.provider_code, MAX_LABEL_BYTES)),
        ("provider_status", str(error.provider_status or "")),
        ("native", _whole(error.native, MAX_NATIVE_BYTES)),
    ):
        if value:
            info.metadata[key] = value
    status.details.add().Pack(info)
    if error.retry_after_ms is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(error.retry_after_ms)
        status.details.add().Pack(retry)
    if error.violations:
        _add_violations(status, error.violations)
    return status


def _add_violations(status: status_pb2.Status, violations: Iterable[FieldViolation]) -> None:
    """As many of them, from the first on, as there is room for."""
    bad = error_details_pb2.BadRequest()
    detail = status.details.add()
    for violation in violations:
        bad.field_violations.add(
            field=_cut(violation.field, MAX_LABEL_BYTES),
            description=_cut(violation.description, MAX_DESCRIPTION_BYTES),
        )
        before = detail.value
        detail.Pack(bad)
        if status.ByteSize() > MAX_DETAILS_BYTES:
            detail.value = before
            return


def _from_details(status: status_pb2.Status) -> GatewayError | None:
    info = error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    bad = error_details_pb2.BadRequest()
    retry_after_ms = None
    for detail in status.details:
        if detail.Unpack(retry):
            retry_after_ms = retry.retry_delay.ToMilliseconds()
        elif not detail.Unpack(info):
            detail.Unpack(bad)
    if info.domain != DOMAIN:
        return None
    provider_status = info.metadata.get("provider_status", "")
    reason = _REASON_NUMBERS.get(info.reason, ErrorReason.ERROR_REASON_UNSPECIFIED)
    error = BY_REASON.get(reason, GatewayError)(
        status.message,
        retry_after_ms=retry_after_ms,
        violations=[FieldViolation(field=v.field, description=v.description) for v in bad.field_violations],
        provider_code=info.metadata.get("provider_code", ""),
        provider_status=int(provider_status) if provider_status.isdecimal() else 0,
        native=info.metadata.get("native", ""),
        target=info.metadata.get("target", ""),
    )
    error.code = status.code
    return error


def _cut(text: str, max_bytes: int) -> str:
    """The text's beginning, whole characters only, and none that UTF-8 cannot hold."""
    return text.encode(errors="replace")[:max_bytes].decode(errors="ignore")


def _whole(text: str, max_bytes: int) -> str:
    """The text if it fits, else nothing: half a JSON object is of no use."""
    return text if _cut(text, max_bytes) == text else ""


def _value(metadata: Iterable[Any], key: str) -> bytes | None:
    for name, value in metadata:
        if name == key:
            return value if isinstance(value, bytes) else value.encode()
    return None
