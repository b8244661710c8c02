"""Whether the process lives, and whether it takes calls."""

import asyncio

from aiohttp import web

from trunkline_bridge.app_keys import GATEWAY, RUNNING
from trunkline_bridge.boundary import JSON_TYPE

READY_TIMEOUT_S = 2.0

_HEADERS = {"cache-control": "no-store"}


async def healthz(request: web.Request) -> web.Response:
    """200 as long as the event loop turns."""
    return web.Response(body=b'{"status":"ok"}', content_type=JSON_TYPE, headers=_HEADERS)


async def readyz(request: web.Request) -> web.Response:
    """200 while new calls are taken, else 503, so that a load balancer sends them elsewhere."""
    if await _ready(request):
        return web.Response(body=b'{"status":"ready"}', content_type=JSON_TYPE, headers=_HEADERS)
    return web.Response(status=503, body=b'{"status":"not ready"}', content_type=JSON_TYPE, headers=_HEADERS)


async def _ready(request: web.Request) -> bool:
    if request.app[RUNNING].draining:
        return False
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            return await request.app[GATEWAY].ready()
    except TimeoutError:
        return False
