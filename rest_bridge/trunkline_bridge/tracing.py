"""The span of each HTTP request: its place is fixed before the handler runs, and it is made when the answer is out.

Attributes: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span.
"""

import asyncio
import time
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from trunkline.trace import CallSpan, CallTracer, TraceIds
from trunkline_bridge.context import PLACE, trace_header

FAILURE = web.RequestKey("failure", str)
"""What went wrong once the status was out, where it can only be told inside the stream."""

# Asked every few seconds by machines, and never part of anybody's trace.
_UNTRACED: Final = frozenset({"/healthz", "/readyz", "/metrics", "/health/targets", "/debug/requests"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
_OTHER_METHOD: Final = "_OTHER"
_CLIENT_ERROR, _SERVER_ERROR = 400, 500


def tracing_middleware(tracer: CallTracer) -> Middleware:
    """Gives each request its span. It must be the outermost, so that it sees the status that goes out."""

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in _UNTRACED:
            return await handler(request)
        started_ns, began = time.time_ns(), time.monotonic_ns()
        headers = request.headers
        place = tracer.begin(trace_header(headers, "traceparent"), trace_header(headers, "tracestate"))
        request[PLACE] = place
        status = _SERVER_ERROR
        try:
            response = await handler(request)
            status = response.status
        except asyncio.CancelledError:
            status = 0  # the client left, and nobody is told a status
            raise
        else:
            return response
        finally:
            duration_ns = time.monotonic_ns() - began
            failure = request.get(FAILURE, "")
            failed = status >= _CLIENT_ERROR or bool(failure)
            if tracer.keeps(place, failed=failed, duration_ns=duration_ns):
                tracer.record(_span(request, place, started_ns, duration_ns, status, failure))

    return trace


def _span(
    request: web.Request, place: TraceIds, started_ns: int, duration_ns: int, status: int, failure: str
) -> CallSpan:
    method = request.method if request.method in _METHODS else _OTHER_METHOD
    resource = request.match_info.route.resource
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "network.protocol.version": f"{request.version.major}.{request.version.minor}",
        "url.scheme": request.scheme,
    }
    route = ""
    if resource is not None:
        # An address that leads nowhere could be anything; of one that does, the rest is a model's name.
        route = attributes["http.route"] = resource.canonical
    if request.remote:
        attributes["client.address"] = request.remote
    if status:
        attributes["http.response.status_code"] = status
    return CallSpan(
        trace=place,
        name=f"{method} {route}".strip() if method != _OTHER_METHOD else "HTTP",
        started_ns=started_ns,
        duration_ns=duration_ns,
        attributes=attributes,
        error_type=failure or (str(status) if status >= _SERVER_ERROR else ""),
    )
