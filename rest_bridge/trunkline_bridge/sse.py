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
    """One streamed answer. Use it with `with`, so that its timer ends with it.

    While nothing is written it shows that the request is alive: the headers go out after `early_headers_s`, then a
    comment after each `heartbeat_s`. One timer does that and ends writes that stall; a write costs it two assignments.
    """

    def __init__(
        self,
        request: web.Request,
        *,
        call_id: str,
        stall_s: float,
        early_headers_s: float,
        heartbeat_s: float,
    ) -> None:
        self._request = request
        self._stall_s = stall_s
        self._early_headers_s = early_headers_s
        self._heartbeat_s = heartbeat_s
        self._loop = asyncio.get_running_loop()
        self._response = web.StreamResponse(headers={**_HEADERS, REQUEST_ID: call_id})
        self._writing = False
        self._since = self._loop.time()
        """When the last write began, and with it the silence after it: one look at the clock is for both."""
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.Task[None] | None = None

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
        if self._beat is not None:
            # It is in the middle of writing, which it may be: nobody has read for a while.
            await self._beat
        await self._write(data)

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(min(self._early_headers_s, self._stall_s), self._check)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._beat is not None:
            self._beat.cancel()

    async def _write(self, data: bytes) -> None:
        self._since = self._loop.time()
        self._writing = True
        try:
            if not self._response.prepared:
                await self._response.prepare(self._request)
            await self._response.write(data)
        except ConnectionError as error:
            raise ClientLeftError from error
        self._writing = False

    def _check(self) -> None:
        if self._writing:
            due = self._since + self._stall_s
        else:
            due = self._since + (self._heartbeat_s if self._response.prepared else self._early_headers_s)
        if due > self._loop.time():
            # A write that begins meanwhile may stall before that.
            self._timer = self._loop.call_at(min(due, self._loop.time() + self._stall_s), self._check)
        elif not self._writing:
            self._beat = self._loop.create_task(self._show_life())
        elif self._request.transport is not None:
            # The lost connection cancels the handler, and with it the call.
            self._request.transport.abort()

    async def _show_life(self) -> None:
        self._timer = self._loop.call_later(min(self._heartbeat_s, self._stall_s), self._check)
        try:
            await self._write(HEARTBEAT)
        except ClientLeftError:
            # The handler hears of it by being cancelled.
            pass
        finally:
            self._beat = None
