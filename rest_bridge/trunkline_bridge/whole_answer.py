"""A whole answer on its way to a client that may read slowly, but must read."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from trunkline.metadata import REQUEST_ID
from trunkline_bridge.app_keys import SENDING
from trunkline_bridge.boundary import JSON_TYPE
from trunkline_bridge.compression import compressed

SMALL_BYTES: Final = 64 * 1024
"""So much is taken off our hands at once, whether or not the client reads."""
STEP_BYTES: Final = 256 * 1024


async def send_whole(
    request: web.Request, body: bytes, headers: Mapping[str, str] | None, *, call_id: str, stall_s: float
) -> web.StreamResponse:
    """Answers with this JSON. A client that takes none of it for `stall_s` loses its connection."""
    body, coding = await compressed(request, body)
    headers = {**(headers or {}), **coding, REQUEST_ID: call_id}
    if len(body) <= SMALL_BYTES:  # nearly always
        whole = web.Response(body=body, content_type=JSON_TYPE, headers=headers)
        began = time.monotonic()
        try:
            await whole.prepare(request)
            await whole.write_eof()
        except ConnectionError:
            pass  # nobody is there to write to
        request.app[SENDING].add(time.monotonic() - began)
        return whole
    response = web.StreamResponse(headers=headers)
    response.content_type = JSON_TYPE
    response.content_length = len(body)
    try:
        await response.prepare(request)
        view = memoryview(body)
        for at in range(0, len(body), STEP_BYTES):
            async with asyncio.timeout(stall_s):
                await response.write(view[at : at + STEP_BYTES])
    except ConnectionError:
        pass  # nobody is there to write to
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    return response
