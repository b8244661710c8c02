"""The calls being answered, and how they end when the process goes away."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trunkline.errors import ShuttingDownError

_LAST_WORDS_S = 2.0


class Traffic:
    """Counts calls in and out, and drains them."""

    def __init__(self) -> None:
        self.draining = False
        """Whether new calls are turned away."""
        self._running: set[asyncio.Task[Any]] = set()
        self._stopped: set[asyncio.Task[Any]] = set()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around the answering of one call, in a task of its own. Raises ShuttingDownError while draining."""
        if self.draining:
            raise ShuttingDownError("The gateway is shutting down; another one may answer.")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call is answered in a task")
        self._running.add(task)
        try:
            with self.told():
                yield
        finally:
            self._running.discard(task)
            self._stopped.discard(task)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Makes the end that `drain` puts to a call a failure that can still be told to the client."""
        try:
            yield
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task not in self._stopped:
                raise
            self._stopped.discard(task)
            task.uncancel()
            raise ShuttingDownError("The gateway shut down before the answer was complete; ask again.") from None

    async def drain(self, grace_s: float) -> None:
        """Takes no more calls, waits for those that run, and ends what is left after `grace_s` with a typed error."""
        self.draining = True
        if self._running:
            await asyncio.wait(set(self._running), timeout=grace_s)
        left = set(self._running)
        for task in left:
            self._stopped.add(task)
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_LAST_WORDS_S)
