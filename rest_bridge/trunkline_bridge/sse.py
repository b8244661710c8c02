"""A text/event-stream answer that starts with its first bytes and does not wait for ever for its reader.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import asyncio
from typing import Final, Self

from aiohttp import web

from trunkline.metadata import REQUEST_ID

DONE: Final = b"data: [DONE]\n\n"
HEARTBEAT: Final = b": heartbeat\n\n"

_HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    # Reverse proxies of nginx's kind would otherwise collect the stream.
    "x-accel-buffering": "no",
}


class ClientLeftError(Exception):
    """Nobody is there to write to."""


class EventStream:
    """One streamed answer. Use it with `with`, so that its timer ends with it."""

    def __init__(self, request: web.Request, *, call_id: str, stall_s: float) -> None:
        self._request = request
        self._stall_s = stall_s
        self._loop = asyncio.get_running_loop()
        self._response = web.StreamResponse(headers={**_HEADERS, REQUEST_ID: call_id})
        self._writing_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def started(self) -> bool:
        """Whether the status and headers are out, so that an error can only be told inside the stream."""
        return self._response.prepared

    @property
    def response(self) -> web.StreamResponse:
        """What the handler returns."""
        return self._response

    async def write(self, data: bytes) -> None:
        """Sends `data` at once, after the headers if they are not out yet; waits while the client does not read."""
        self._writing_since = self._loop.time()
        try:
            if not self._response.prepared:
                self._timer = self._loop.call_later(self._stall_s, self._check)
                await self._response.prepare(self._request)
            await self._response.write(data)
        except ConnectionError as error:
            raise ClientLeftError from error
        self._writing_since = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        """One timer a stream, re-armed when it fires: a write costs it two assignments."""
        since = self._loop.time() if self._writing_since is None else self._writing_since
        due = since + self._stall_s
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._check)
        elif self._request.transport is not None:
            # The lost connection cancels the handler, and with it the call.
            self._request.transport.abort()
