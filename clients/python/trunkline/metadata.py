"""CallContext as gRPC metadata, both ways: the one table of the names it travels under."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from trunkline.context import CallContext
from trunkline.errors import BadKeyError, InvalidRequestError
from trunkline.secret import NO_SECRET, Secret
from trunkline.trace import UNDECIDED, TraceIds
from trunkline.v1 import Priority

T = TypeVar("T")

AUTHORIZATION = "authorization"
REQUEST_ID = "x-request-id"
STRICT = "x-trunkline-strict"
PRIORITY = "x-trunkline-priority"
CLIENT_ADDRESS = "x-trunkline-client-address"
DEBUG = "x-trunkline-debug"
IDEMPOTENCY_KEY = "idempotency-key"

# Fields that are plain text on both sides. The deadline is gRPC's own, so it has no name here.
_TEXTS = {
    "request_id": REQUEST_ID,
    "traceparent": "traceparent",
    "tracestate": "tracestate",
    "baggage": "baggage",
    "idempotency_key": IDEMPOTENCY_KEY,
    "client_address": CLIENT_ADDRESS,
}
_DISPENSABLE = frozenset({"traceparent", "tracestate", "baggage", "client_address"})
_TRACE = frozenset({"traceparent", "tracestate"})
_BOOLS = {"true": True, "false": False}
_PRIORITIES: Mapping[str, "Priority.ValueType"] = {
    "low": Priority.PRIORITY_LOW,
    "normal": Priority.PRIORITY_NORMAL,
    "high": Priority.PRIORITY_HIGH,
}
_PRIORITY_NAMES = {value: name for name, value in _PRIORITIES.items()}


def to_metadata(context: CallContext) -> tuple[tuple[str, str], ...]:
    """What a client or a split bridge sends with a call.

    Raises InvalidRequestError or BadKeyError for what no header can carry. Broken trace context is left out, as
    https://www.w3.org/TR/trace-context/ wants it.
    """
    found = []
    if (trace := context.trace) is not None:
        found.append(("traceparent", trace.traceparent()))
        if trace.tracestate:
            found.append(("tracestate", trace.tracestate))
        if trace.undecided:
            found.append((UNDECIDED, "true"))
    for field, name in _TEXTS.items():
        if not (value := getattr(context, field)) or (trace is not None and field in _TRACE):
            continue
        if _fits_header(value):
            found.append((name, value))
        elif field not in _DISPENSABLE:
            raise InvalidRequestError.at_field(name, "may hold printable ASCII characters only")
    if context.credential:
        key = context.credential.reveal()
        if not _fits_header(key):
            raise BadKeyError("the key holds characters that no key has")
        found.append((AUTHORIZATION, f"Bearer {key}"))
    if context.debug:
        found.append((DEBUG, "true"))
    if context.strict is not None:
        found.append((STRICT, "true" if context.strict else "false"))
    if context.priority in _PRIORITY_NAMES:
        found.append((PRIORITY, _PRIORITY_NAMES[context.priority]))
    return tuple(found)


def from_metadata(
    metadata: Iterable[tuple[str, str | bytes]] | Mapping[str, str],
    *,
    deadline: float | None = None,
    client_address: str = "",
    size_bytes: int = 0,
    request_id: str = "",
    trace: TraceIds | None = None,
) -> CallContext:
    """What a server reads; HTTP headers by lower-case name serve as well. `request_id` wins over what stands there.

    `trace` is the span of the surface that reads, if it has one.

    Raises InvalidRequestError when a value is not one of those it may have.
    """
    pairs = metadata.items() if isinstance(metadata, Mapping) else metadata
    values = {name: value for name, value in pairs if isinstance(value, str)}
    return CallContext(
        request_id=request_id or values.get(REQUEST_ID, ""),
        credential=bearer(values.get(AUTHORIZATION, "")),
        deadline=deadline,
        traceparent=values.get("traceparent", ""),
        tracestate=values.get("tracestate", ""),
        baggage=values.get("baggage", ""),
        trace=trace,
        debug=bool(_one_of(_BOOLS, DEBUG, values.get(DEBUG, ""))),
        idempotency_key=values.get(IDEMPOTENCY_KEY, ""),
        strict=_one_of(_BOOLS, STRICT, values.get(STRICT, "")),
        priority=_one_of(_PRIORITIES, PRIORITY, values.get(PRIORITY, "")) or Priority.PRIORITY_UNSPECIFIED,
        client_address=values.get(CLIENT_ADDRESS, "") or client_address,
        size_bytes=size_bytes,
    )


def bearer(authorization: str) -> Secret:
    """The key in an Authorization header; none if it is of another scheme (RFC 6750 section 2.1)."""
    scheme, _, key = authorization.strip().partition(" ")
    return Secret(key.strip()) if scheme.lower() == "bearer" else NO_SECRET


def _fits_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _one_of(table: Mapping[str, T], name: str, value: str) -> T | None:
    if not value:
        return None
    if value.lower() not in table:
        raise InvalidRequestError.at_field(name, f"is one of {', '.join(table)}")
    return table[value.lower()]
