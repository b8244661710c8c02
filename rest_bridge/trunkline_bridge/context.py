"""The headers of a request as CallContext."""

from collections.abc import Mapping
from math import inf, nan

from aiohttp import web
from multidict import CIMultiDictProxy

from trunkline.context import CallContext, is_request_id, new_request_id
from trunkline.errors import BadKeyError, InvalidRequestError
from trunkline.metadata import AUTHORIZATION, DEBUG, IDEMPOTENCY_KEY, PRIORITY, REQUEST_ID, STRICT, from_metadata
from trunkline.trace import TraceIds

TIMEOUT = "x-request-timeout-ms"
# In seconds: Python's is for each read; Node's, which is cut to whole seconds, for the headers.
SDK_TIMEOUTS = ("x-stainless-read-timeout", "x-stainless-timeout")
MAX_TIMEOUT_MS = 86_400_000
MAX_IDEMPOTENCY_KEY_BYTES = 255

# What a client may set. The client address is not among them: a caller must not choose what the ledger says of it.
_HEADERS = (AUTHORIZATION, STRICT, PRIORITY, IDEMPOTENCY_KEY, DEBUG)

# Trace context goes on as it came, or not at all: it may not make a gRPC call's metadata too large, nor hold what
# metadata cannot carry. Several fields of one name are one list (https://www.w3.org/TR/trace-context/#tracestate-header).
_TRACE_HEADERS: Mapping[str, int] = {"traceparent": 256, "tracestate": 1024, "baggage": 4096}

CALL_ID = web.RequestKey("call_id", str)
PLACE = web.RequestKey("place", TraceIds)
"""The request's span; absent: it has none."""


def assign_call_id(request: web.BaseRequest) -> str:
    """The id of this request: the client's own if it may stand in logs and headers, else a new one."""
    given = request.headers.get(REQUEST_ID, "")
    call_id = given if is_request_id(given) else new_request_id()
    request[CALL_ID] = call_id
    return call_id


def call_context(request: web.Request, *, arrived: float, size_bytes: int = 0, patience_s: float = inf) -> CallContext:
    """Who calls, until when, as part of which trace. `arrived` is on the `time.monotonic` clock.

    `patience_s` is how long the client waits in any case; a deadline that it sets itself counts if it is earlier.
    Raises InvalidRequestError for a header that has no meaning, BadKeyError for a key that cannot be one.
    """
    headers = request.headers
    values = {name: headers[name] for name in _HEADERS if name in headers}
    for name in _TRACE_HEADERS:
        if name in headers and (value := trace_header(headers, name)):
            values[name] = value
    if not values.get(AUTHORIZATION, "").isascii():
        raise BadKeyError("the Authorization header holds characters that no key has")
    key = values.get(IDEMPOTENCY_KEY, "")
    if not key.isascii() or len(key) > MAX_IDEMPOTENCY_KEY_BYTES:
        raise InvalidRequestError.at_field("Idempotency-Key", f"at most {MAX_IDEMPOTENCY_KEY_BYTES} ASCII characters")
    return from_metadata(
        values,
        deadline=_deadline(headers.get(TIMEOUT), arrived, patience_s),
        client_address=request.remote or "",
        size_bytes=size_bytes,
        request_id=request[CALL_ID],
        trace=request.get(PLACE),
    )


def trace_header(headers: CIMultiDictProxy[str], name: str) -> str:
    """Trace context as it may go on; empty if there is none, or none that could."""
    value = ",".join(headers.getall(name, ()))
    return value if len(value) <= _TRACE_HEADERS[name] and value.isascii() else ""


def client_patience_s(request: web.BaseRequest) -> float:
    """How long the client waits for more before it gives up, as OpenAI's SDKs tell; infinite where it does not say.

    Raises InvalidRequestError for a header that has no meaning.
    """
    found = inf
    for name in SDK_TIMEOUTS:
        if (text := request.headers.get(name)) is not None:
            found = min(found, _seconds(name, text))
    return found


def _seconds(name: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = nan
    if not found >= 0:  # not a number, too
        raise InvalidRequestError.at_field(name, "a number of seconds")
    return found or inf  # 0 is what Node makes of less than a second


def _deadline(timeout_ms: str | None, arrived: float, patience_s: float) -> float | None:
    if timeout_ms is not None:
        if not (timeout_ms.isascii() and timeout_ms.isdigit() and 0 < int(timeout_ms[:10]) <= MAX_TIMEOUT_MS):
            raise InvalidRequestError.at_field(TIMEOUT, f"a whole number of milliseconds from 1 to {MAX_TIMEOUT_MS}")
        patience_s = min(patience_s, int(timeout_ms) / 1000)
    return None if patience_s == inf else arrived + patience_s
