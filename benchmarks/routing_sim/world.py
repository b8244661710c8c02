"""What the simulated providers do, as a function of time and of how much they are asked."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from trunkline.errors import GatewayError, ProviderThrottledError, ProviderUnavailableError

WELL_S: Final = 0.8
"""How long an answer takes on average."""
REFUSAL_S: Final = 0.05
OVERLOADED_S: Final = 2.0
"""How long an overloaded provider takes to fail."""


class Trouble(NamedTuple):
    """What is wrong with a provider for a while."""

    kind: str
    """ "outage": every call fails; "brown-out": beyond a rate calls fail late; "storm": beyond a rate they get 429."""
    begin_s: float
    end_s: float
    rate: float = 0.0
    """Calls a second that it still takes."""


class Answer(NamedTuple):
    """What becomes of one call."""

    after_s: float
    error: GatewayError | None


@dataclass
class SimulatedProvider:
    """One provider; the calls of each second are counted, and so decide what the next ones get."""

    troubles: Sequence[Trouble]
    rng: random.Random
    calls: dict[int, int] = field(default_factory=dict)
    """By second."""

    def trouble_at(self, now: float) -> Trouble | None:
        """What is wrong at this time."""
        return next((trouble for trouble in self.troubles if trouble.begin_s <= now < trouble.end_s), None)

    def call(self, now: float) -> Answer:
        """One call that arrives now."""
        second = int(now)
        asked = self.calls[second] = self.calls.get(second, 0) + 1
        trouble = self.trouble_at(now)
        if trouble is None:
            return Answer(self.rng.expovariate(1 / WELL_S), None)
        if trouble.kind == "outage":
            return Answer(REFUSAL_S, ProviderUnavailableError("down"))
        if asked <= trouble.rate:
            return Answer(self.rng.expovariate(1 / WELL_S), None)
        if trouble.kind == "brown-out":
            return Answer(OVERLOADED_S, ProviderUnavailableError("overloaded"))
        return Answer(REFUSAL_S, ProviderThrottledError("slow down", retry_after_ms=self.rng.randrange(500, 4000)))
