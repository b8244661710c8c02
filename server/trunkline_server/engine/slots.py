"""How many calls go to one target at once, and the queue of those that wait."""

import asyncio
import heapq
import itertools
from typing import Final

from trunkline.context import Steering
from trunkline.errors import OverloadedError
from trunkline.interruptible import Interruptible
from trunkline.v1 import Priority
from trunkline_server.engine.watch import Watch
from trunkline_server.providers.target import Target

_RANKS: Final = {Priority.PRIORITY_HIGH: 0, Priority.PRIORITY_LOW: 2}
_NORMAL: Final = 1
_SMOOTHING: Final = 0.2
"""How much the newest call counts for the time that one is expected to take."""
FIRST_GUESS_S: Final = 1.0
"""How long a call is expected to take before any has ended."""

Place = tuple[int, float, int, "asyncio.Future[None]"]


class Slots:
    """Slots for calls to one target; whoever finds none free queues by priority, deadline and arrival.

    A slot that becomes free goes to the first in the queue directly, so nobody who comes later can snatch it.
    """

    def __init__(self, target: Target) -> None:
        """For a target with `max_concurrent` set."""
        self._name = target.name
        self._most = target.max_concurrent or 1
        self._max_queue = target.max_queue
        self._taken = 0
        self._queue: list[Place] = []
        self._arrivals = itertools.count()
        self._service_s = FIRST_GUESS_S

    @property
    def queued(self) -> int:
        """How many wait."""
        return sum(not place[-1].done() for place in self._queue)

    async def take(self, priority: "Priority.ValueType", watch: Watch, steering: Steering | None = None) -> float:
        """Takes a slot, waiting for one if need be; says how many seconds that took. `give_back` must follow.

        Through `steering` the place in the queue can be changed meanwhile.

        Raises OverloadedError if the queue is full and this request is the last by its order, or becomes it, and
        whatever `watch` ends the wait with.
        """
        if self._taken < self._most:
            self._taken += 1
            return 0.0
        turn: asyncio.Future[None] = watch.loop.create_future()
        place: Place = (_RANKS.get(priority, _NORMAL), watch.deadline, next(self._arrivals), turn)
        self._make_room(place)
        heapq.heappush(self._queue, place)
        began = watch.loop.time()
        if steering is not None:
            steering.on_priority = lambda changed: self._move(turn, changed)
        try:
            with Interruptible() as waiting:
                watch.attach(waiting.interrupt)
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # The slot was handed over while the wait was being ended.
                self._hand_over()
            turn.cancel()
            raise
        finally:
            watch.detach()
            if steering is not None:
                steering.on_priority = None
        return watch.loop.time() - began

    def give_back(self, service_s: float) -> None:
        """A call that had a slot for this long is over."""
        self._service_s += _SMOOTHING * (service_s - self._service_s)
        self._hand_over()

    def _move(self, turn: "asyncio.Future[None]", priority: "Priority.ValueType") -> None:
        """Gives who waits for `turn` the place that this priority has."""
        for index, place in enumerate(self._queue):
            if place[-1] is turn:
                self._queue[index] = (_RANKS.get(priority, _NORMAL), *place[1:])
                heapq.heapify(self._queue)
                return

    def _hand_over(self) -> None:
        while self._queue:
            turn = heapq.heappop(self._queue)[-1]
            if not turn.done():
                turn.set_result(None)
                return
        self._taken -= 1

    def _make_room(self, newcomer: Place) -> None:
        waiting = [place for place in self._queue if not place[-1].done()]
        if len(waiting) < self._max_queue:
            return
        last = max(waiting, default=newcomer)
        if last[:3] <= newcomer[:3]:
            raise self._full()
        last[-1].set_exception(self._full())

    def _full(self) -> OverloadedError:
        wait_s = self._service_s * (1 + self.queued / self._most)
        return OverloadedError(
            f"as many requests wait for {self._name} as may queue for it; try again later",
            retry_after_ms=max(1, round(wait_s * 1000)),
            target=self._name,
        )
