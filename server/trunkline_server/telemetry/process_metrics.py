"""How the process itself is doing: lateness of its event loop, pauses for garbage collection, memory and CPU."""

import asyncio
import gc
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from trunkline_server.telemetry import names
from trunkline_server.telemetry.instruments import Description, Histogram, Instruments, Observed, Values

PROBE_S: Final = 0.25
"""How often the loop's lateness is measured."""

_LAG_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_PAUSE_S: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_STATM: Final = Path("/proc/self/statm")


class ProcessMetrics:
    """Measures while it is started; one timer four times a second, and two clock reads a garbage collection."""

    def __init__(self, instruments: Instruments) -> None:
        self._lag = Histogram(
            Description(
                name=names.LOOP_LAG_METRIC,
                unit="s",
                text="How late the event loop runs what is due, measured by a timer.",
            ),
            _LAG_S,
        )
        self._pauses = Histogram(
            Description(
                name=names.GC_PAUSE_METRIC,
                unit="s",
                text="How long garbage collection stopped everything, by generation.",
                attributes=(names.GC_GENERATION,),
            ),
            _PAUSE_S,
        )
        self._gc_began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        instruments.add(
            self._lag,
            self._pauses,
            Observed(
                Description(name=names.CPU_METRIC, unit="s", text="CPU time of the process, user and system."),
                _cpu,
                is_sum=True,
            ),
            Observed(Description(name=names.MEMORY_METRIC, unit="By", text="Resident memory of the process."), _memory),
        )

    def start(self) -> None:
        """Begins to measure, on the running loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + PROBE_S, self._probe, loop, loop.time() + PROBE_S)
        gc.callbacks.append(self._collecting)

    def stop(self) -> None:
        """Ends it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._collecting in gc.callbacks:
            gc.callbacks.remove(self._collecting)

    def _probe(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self._lag.at(()).add(max(0.0, now - due))
        self._timer = loop.call_at(now + PROBE_S, self._probe, loop, now + PROBE_S)

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_began = time.perf_counter()
        else:
            self._pauses.at((str(info["generation"]),)).add(time.perf_counter() - self._gc_began)


def _cpu() -> Iterable[tuple[Values, float]]:
    times = os.times()
    return [((), times.user + times.system)]


def _memory() -> Iterable[tuple[Values, float]]:
    if not _STATM.exists():  # only Linux tells it this way
        return []
    return [((), int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE"))]
