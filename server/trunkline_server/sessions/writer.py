"""The one writer of a session: it gathers for a moment what comes together, and sends one message after the other."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from trunkline.errors import DeadlineError, GatewayError
from trunkline.v1 import ConverseResponse
from trunkline_server.sessions.lane import Lane
from trunkline_server.sessions.outbox import Outbox

MAX_NOTICES: Final = 64
"""While this many wait to be sent there is no slack."""

Write = Callable[[bytes], Awaitable[None]]
"""Sends a message; returns when there is room for more."""


class WriterOwner(Protocol):
    """The session, as its writer sees it."""

    def busy(self) -> bool:
        """Whether there is more to come."""
        ...

    def said_last(self, lane: Lane) -> None:
        """The last event of a request is on its way."""
        ...

    def quiet(self) -> None:
        """All is sent, and nothing is to come."""
        ...

    def fail(self, error: GatewayError) -> None:
        """The client takes nothing any more."""
        ...


class Writer:
    """Has a task and a timer only while there is something to say or to come."""

    __slots__ = (
        "_closed",
        "_due",
        "_gathering",
        "_loop",
        "_outbox",
        "_owner",
        "_since",
        "_slack",
        "_stall_s",
        "_stall_timer",
        "_task",
        "_tasks",
        "_wake",
        "_window_s",
        "_write",
    )

    def __init__(
        self, write: Write, owner: WriterOwner, tasks: asyncio.TaskGroup, *, window_s: float, stall_s: float
    ) -> None:
        """Events that come within `window_s` leave together; a write that takes `stall_s` is given up."""
        self._write = write
        self._owner = owner
        self._tasks = tasks
        self._window_s = window_s
        self._stall_s = stall_s
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox()
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.Future[None] | None = None
        self._slack: asyncio.Future[None] | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._closed = False
        self._due = False
        """Whether what waits is to go out now."""
        self._since = 0.0
        """When the present write began; 0: there is none."""
        self._stall_timer: asyncio.TimerHandle | None = None

    @property
    def active(self) -> bool:
        """Whether there is something to say or to come."""
        return self._task is not None

    def notify(self, notice: ConverseResponse) -> None:
        """Sends a notice ahead of all events that wait."""
        self._outbox.notify(notice)
        self._send()

    def add(self, lane: Lane, *, gather: bool) -> None:
        """Sends the lane's events; `gather` says whether others may come within the window."""
        self._outbox.add(lane)
        if self._due or self._gathering is not None:
            return
        if gather and self._window_s:
            self._gathering = self._loop.call_later(self._window_s, self._gathered)
        else:
            self._send()

    async def slack(self) -> None:
        """Returns when few notices wait."""
        while self._outbox.notices >= MAX_NOTICES:
            self._slack = self._loop.create_future()
            await self._slack

    def close(self) -> None:
        """Sends nothing more, whatever comes."""
        self._closed = True
        if self._gathering is not None:
            self._gathering.cancel()
        if self._task is not None:
            self._task.cancel()

    def _gathered(self) -> None:
        self._gathering = None
        if self._outbox:  # it may have gone with a notice
            self._send()

    def _send(self) -> None:
        self._due = True
        if self._closed:
            return
        if self._task is None:
            self._task = self._tasks.create_task(self._run())
        elif self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _run(self) -> None:
        self._stall_timer = self._loop.call_later(self._stall_s, self._check)
        try:
            while True:
                if self._due:
                    await self._write_next()
                elif self._outbox or self._owner.busy():
                    self._wake = self._loop.create_future()
                    await self._wake
                else:
                    break
        finally:
            self._task = self._wake = None
            self._stall_timer.cancel()
        self._owner.quiet()

    async def _write_next(self) -> None:
        message, ended = self._outbox.next_message()
        # What was left out for its size goes at once; what comes while this is written has a window of its own.
        self._due = bool(self._outbox)
        for lane in ended:
            self._owner.said_last(lane)
        self._since = self._loop.time()
        await self._write(message)
        self._since = 0.0
        if self._slack is not None and not self._slack.done():
            self._slack.set_result(None)

    def _check(self) -> None:
        now = self._loop.time()
        due = (self._since or now) + self._stall_s
        if due > now:
            self._stall_timer = self._loop.call_at(due, self._check)
        else:
            self._owner.fail(DeadlineError(f"the client took nothing of the session for {self._stall_s:g} s"))
