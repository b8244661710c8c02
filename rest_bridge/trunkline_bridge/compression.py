"""Answers of one piece, compressed for clients that take it. Streams never are: a compressor holds events back."""

import asyncio
import gzip
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from trunkline_bridge.app_keys import SETTINGS

MIN_BYTES: Final = 1024
"""Shorter ones fit a packet as they are."""
LARGE_BYTES: Final = 64 * 1024
"""Longer ones are compressed beside the event loop."""
LEVEL: Final = 4
"""Of 9; what comes after it costs more time than bytes."""


@web.middleware
async def compress_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """For what a handler returns and has not sent itself."""
    response = await handler(request)
    if isinstance(response, web.Response) and not response.prepared and isinstance(response.body, bytes):
        response.body, headers = await compressed(request, response.body)
        response.headers.update(headers)
    return response


async def compressed(request: web.Request, body: bytes) -> tuple[bytes, dict[str, str]]:
    """The body as it goes to this client, and the headers that say so."""
    if not request.app[SETTINGS].compress or len(body) < MIN_BYTES:
        return body, {}
    if not _takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        return body, {hdrs.VARY: hdrs.ACCEPT_ENCODING}
    if len(body) > LARGE_BYTES:
        body = await asyncio.to_thread(gzip.compress, body, LEVEL)
    else:
        body = gzip.compress(body, LEVEL)
    return body, {hdrs.VARY: hdrs.ACCEPT_ENCODING, hdrs.CONTENT_ENCODING: "gzip"}


def _takes_gzip(accepted: str) -> bool:
    """Whether the client named it, and not to refuse it: "gzip;q=0" means that. RFC 9110 section 12.5.3."""
    for offer in accepted.lower().split(","):
        name, _, weight = offer.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False
