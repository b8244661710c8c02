"""A stretch of a task that somebody else may end with an error of their choice."""

import asyncio
from types import TracebackType
from typing import Any, Self


class Interruptible:
    """A context manager: `interrupt` cancels what is awaited inside, and leaving then raises the error given.

    It is what `asyncio.timeout` is for time, at a fraction of its cost, and like it keeps out of the way of other
    cancellations: one that comes from elsewhere stays one.
    """

    __slots__ = ("_cancelled", "_cancelling", "_error", "_given", "_handle", "_task")

    def __init__(self, task: asyncio.Task[Any] | None = None) -> None:
        """`task` is the one that enters, where it is known already: asking asyncio for it is half of the cost."""
        self._given = task
        self._task: asyncio.Task[Any] | None = None
        self._handle: asyncio.Handle | None = None
        self._error: Exception | None = None
        self._cancelled = False
        self._cancelling = 0

    def __enter__(self) -> Self:
        task = self._given or asyncio.current_task()
        if task is None:
            raise RuntimeError("what may be interrupted runs in a task")
        self._task = task
        self._cancelling = task.cancelling()
        return self

    def interrupt(self, error: Exception) -> None:
        """Ends the stretch with `error`. The first error counts; one that comes too late changes nothing."""
        if self._error is None and self._task is not None:
            self._error = error
            # Later, because a task that cancels itself is cancelled at its next await, even beyond the stretch.
            self._handle = self._task.get_loop().call_soon(self._cancel)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._error is None or task is None:
            return
        if self._handle is not None:
            self._handle.cancel()
        if self._cancelled and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._error from None

    def _cancel(self) -> None:
        self._handle = None
        if self._task is not None:
            self._cancelled = True
            self._task.cancel()
