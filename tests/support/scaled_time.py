"""An event loop whose time passes faster, and only while the process has nothing to do: a slow machine cannot hurry it."""

import asyncio
import selectors
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SLICE_S = 0.002
"""How long the loop listens, in real time, before it lets time pass."""

MOST_SLICES = 100
"""So many in a row another thread may work; then time passes all the same, lest a busy one should stop it for good."""

_TASKS = Path("/proc/self/task")
_ASLEEP = b"S"


class _PatientSelector(selectors.BaseSelector):
    """Waits in slices, and lets time pass after each in which nothing came and no other thread had anything to do.

    What a machine does not get done in time, in this thread or another, thus takes no time.
    """

    def __init__(self, scale: float) -> None:
        self._inner = selectors.DefaultSelector()
        self._scale = scale
        self.now = 1000.0
        """Not near zero, which a clock of a machine that runs never shows."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return self._inner.select(timeout)
        end = self.now + timeout
        waited = 0
        while self.now < end:
            part = min(end - self.now, SLICE_S * self._scale)
            if ready := self._inner.select(part / self._scale):
                return ready
            waited += 1
            if waited >= MOST_SLICES or _others_sleep():
                waited = 0
                # Not by adding up, which need not arrive.
                self.now = end if part == end - self.now else self.now + part
        return self._inner.select(0)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401 as its base
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401 as its base
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401 as its base
        return self._inner.modify(fileobj, events, data)

    def close(self) -> None:
        self._inner.close()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401 as its base
        return self._inner.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


class ScaledLoop(asyncio.SelectorEventLoop):
    """A loop whose clock runs `scale` times as fast as the real one while it is idle, and else stands still."""

    def __init__(self, scale: float) -> None:
        self._patient = _PatientSelector(scale)
        super().__init__(self._patient)

    def time(self) -> float:
        return self._patient.now


def scaled_loop(scale: float) -> Callable[[], asyncio.AbstractEventLoop]:
    """A loop factory for `asyncio.Runner`."""
    return lambda: ScaledLoop(scale)


def _others_sleep() -> bool:
    """Whether every other thread of this process waits for something; told by Linux, assumed elsewhere."""
    own = str(threading.get_native_id())
    try:
        others = [task for task in _TASKS.iterdir() if task.name != own]
    except FileNotFoundError:
        return True
    return all(_state(task) == _ASLEEP for task in others)


def _state(task: Path) -> bytes:
    """The letter of proc_pid_stat(5); a thread that is gone sleeps for good."""
    try:
        return (task / "stat").read_bytes().rpartition(b") ")[2][:1]
    except (FileNotFoundError, ProcessLookupError):
        return _ASLEEP
