"""The calls a surface is answering, so that its shutdown can wait for them and end what is left."""

import asyncio
import logging
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from trunkline.errors import GatewayError, ShuttingDownError
from trunkline.interruptible import Interruptible

log = logging.getLogger(__name__)


class RunningCalls:
    """All calls that one surface is answering."""

    def __init__(self) -> None:
        self.draining = False
        """Whether the surface takes no more calls."""
        self._calls: set[RunningCall] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._calls)

    def end(self, error: GatewayError) -> None:
        """Makes every running call fail with `error`."""
        for call in self._calls:
            call.end(error)

    async def wait(self, timeout_s: float) -> bool:
        """Waits until nothing runs; False if something still did when the time was over."""
        if self._calls:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), timeout_s)
        return not self._calls

    async def drain(self, grace_s: float, last_words_s: float) -> None:
        """Takes no more calls, waits `grace_s` for those that run, and ends the rest with ShuttingDownError.

        Those then have `last_words_s` to tell their callers.
        """
        self.draining = True
        if await self.wait(grace_s):
            return
        log.warning("%d calls still ran after %g s; ending them", len(self), grace_s)
        self.end(ShuttingDownError("the gateway shut down before the answer was complete; ask again"))
        await self.wait(last_words_s)

    def add(self, call: "RunningCall") -> None:
        """A call has begun. Raises ShuttingDownError if no more are taken."""
        if self.draining:
            raise ShuttingDownError("the gateway is shutting down; send the request again")
        self._calls.add(call)
        self._idle.clear()

    def remove(self, call: "RunningCall") -> None:
        """It is over."""
        self._calls.discard(call)
        if not self._calls:
            self._idle.set()


class RunningCall:
    """One call being answered: a context that anybody may end with an error, which leaving it then raises."""

    __slots__ = ("_calls", "_stretch")

    def __init__(self, calls: RunningCalls, task: asyncio.Task[Any] | None = None) -> None:
        """`task` is the one that answers, where it is known already."""
        self._calls = calls
        self._stretch = Interruptible(task)

    def end(self, error: GatewayError) -> None:
        """The first error counts."""
        self._stretch.interrupt(error)

    def __enter__(self) -> Self:
        self._calls.add(self)
        self._stretch.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._calls.remove(self)
        self._stretch.__exit__(kind, error, traceback)
