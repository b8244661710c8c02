"""The one timer of a request: its deadline, the limits of its attempts, and its being stopped from outside."""

import asyncio
from collections.abc import Callable

from trunkline.errors import DeadlineError, GatewayError, ProviderSilentError

TICK_S = 10.0
"""The timer is set for no later than this: then a limit that is further away need not set it anew."""

Interrupt = Callable[[GatewayError], None]


class Watch:
    """Interrupts whatever a request waits for when its time is up.

    A limit runs only between `waiting` and `arrived`, so that a slow caller never makes a target look silent. The
    timer is re-armed when it fires, not at each event: an event costs two assignments and a look at the clock.
    """

    __slots__ = (
        "_armed_at",
        "_error",
        "_handle",
        "_interrupt",
        "_limit_at",
        "_limit_text",
        "deadline",
        "loop",
        "on_stop",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        """`deadline` is on the loop's clock."""
        self.loop = loop
        self.deadline = deadline
        self._handle: asyncio.TimerHandle | None = None
        self._armed_at = 0.0
        self._interrupt: Interrupt | None = None
        self._limit_at = 0.0
        self._limit_text = ""
        self._error: GatewayError | None = None
        self.on_stop: Callable[[], None] | None = None
        """Told once that the request is to end, for who may not be waiting for it."""

    def now(self) -> float:
        """The time on the loop's clock."""
        return self.loop.time()

    def attach(self, interrupt: Interrupt) -> None:
        """From now on `interrupt` is what ends the wait, such as closing the connection with an error."""
        self._interrupt = interrupt
        if self._error is not None:
            interrupt(self._error)
        elif self._handle is None:
            self._arm(self.loop.time() + TICK_S)

    def detach(self) -> None:
        """Nothing is waited for until the next `attach`; a stop meanwhile takes effect then."""
        self._interrupt = None
        self._limit_at = 0.0

    def waiting(self, limit_at: float, limit_text: str) -> None:
        """A provider must be heard of by `limit_at` on the loop's clock; `limit_text` names the limit in the error."""
        self._limit_at = limit_at
        self._limit_text = limit_text
        if limit_at < self._armed_at:
            self._arm(limit_at)

    def arrived(self) -> None:
        """The provider was heard of."""
        self._limit_at = 0.0

    def stop(self, error: GatewayError) -> None:
        """Ends the request with `error` wherever it is. The first stop counts."""
        if self._error is not None:
            return
        self._error = error
        if self._interrupt is not None:
            self._interrupt(error)
        if self.on_stop is not None:
            self.on_stop()

    def check(self) -> None:
        """Raises what the request was stopped with, if it was, or DeadlineError once the deadline has passed."""
        if self._error is not None:
            raise self._error
        if self.loop.time() >= self.deadline:
            raise _deadline_passed()

    def close(self) -> None:
        """The request is over: nothing is interrupted any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._interrupt = self.on_stop = None

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed_at = min(when, self.deadline)
        self._handle = self.loop.call_at(self._armed_at, self._fire)

    def _fire(self) -> None:
        self._handle = None
        now = self.loop.time()
        if now >= self.deadline:
            self.stop(_deadline_passed())
        elif self._limit_at and now >= self._limit_at:
            self._give_up()
        else:
            self._arm(min(self._limit_at or self.deadline, now + TICK_S))

    def _give_up(self) -> None:
        """The limit is one of the attempt's: it ends the wait, not the request."""
        self._limit_at = 0.0
        self._arm(self.loop.time() + TICK_S)
        if self._interrupt is not None:
            self._interrupt(ProviderSilentError(f"the provider was silent for longer than {self._limit_text}"))


def _deadline_passed() -> DeadlineError:
    return DeadlineError("the request's deadline passed before the answer was complete")
