"""Where everything that goes wrong in a handler becomes an answer in OpenAI's shape."""

import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from trunkline.errors import CancelledByCallerError, GatewayError, InternalError
from trunkline.metadata import REQUEST_ID
from trunkline.textless import trace_of
from trunkline_bridge.app_keys import SETTINGS
from trunkline_bridge.context import assign_call_id
from trunkline_bridge.errors import ErrorAnswer, SurfaceError, answer

log = logging.getLogger(__name__)

JSON_TYPE = "application/json"


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives every answer its x-request-id, and every failure its status and body; what nobody expected is a 500."""
    call_id = assign_call_id(request)
    try:
        response = await handler(request)
    except Exception as error:  # noqa: BLE001 here, and only here, nothing may pass
        response = _error_response(told(error, request), call_id)
    if not response.prepared:
        response.headers[REQUEST_ID] = call_id
    return response


def told(error: Exception, request: web.Request) -> ErrorAnswer:
    """How a failure is told to the client; one that nobody expected is logged."""
    retry_after_s = request.app[SETTINGS].retry_after_s
    match error:
        case GatewayError():
            return answer(error, retry_after_s=retry_after_s)
        case SurfaceError():
            return error.answer
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            message = f"Not allowed to {request.method} on {request.path}: use {allowed}."
            return SurfaceError(405, "method_not_allowed", message, headers={"allow": allowed}).answer
        case web.HTTPNotFound():
            return SurfaceError(404, "unknown_url", f"Unknown URL ({request.method} {request.path})").answer
        case ConnectionError():
            return answer(CancelledByCallerError("the client left"), retry_after_s=retry_after_s)
        case _:
            log.error("%s %s failed unexpectedly\n%s", request.method, _route(request), trace_of(error))
            return answer(InternalError("unexpected"), retry_after_s=retry_after_s)


def _error_response(found: ErrorAnswer, call_id: str) -> web.Response:
    response = web.Response(
        status=found.status, body=found.body(call_id), content_type=JSON_TYPE, headers=found.headers
    )
    if "connection" in found.headers:
        response.force_close()
    return response


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "an unknown URL"
