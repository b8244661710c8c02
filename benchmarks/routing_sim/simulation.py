"""Leads simulated requests by the real Course and health, one event after the other."""

import heapq
import itertools
import random
from dataclasses import dataclass, field
from typing import Final

from benchmarks.routing_sim.world import SimulatedProvider, Trouble
from trunkline.errors import GatewayError
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target
from trunkline_server.routing.course import Course
from trunkline_server.routing.health import BUDGET_WINDOW_S, ProcessHealth
from trunkline_server.routing.plan import Plan
from trunkline_server.routing.policy import DEFAULT_POLICY, HealthPolicy
from trunkline_server.routing.step import Go, Stop, Wait

RATE: Final = 1000.0
"""Requests a second."""
DEADLINE_S: Final = 30.0
NAMES: Final = ("primary", "fallback")

OUTAGE: Final = Trouble("outage", 100, 160)
BROWN_OUT: Final = Trouble("brown-out", 300, 420, rate=400)
STORM: Final = Trouble("storm", 600, 660, rate=200)
BOTH_DOWN: Final = Trouble("outage", 800, 830)
DURATION_S: Final = 1000.0

TROUBLES: Final = {
    "primary": (OUTAGE, BROWN_OUT, STORM, BOTH_DOWN),
    # It can stand in, but not for everybody: what comes on top fails.
    "fallback": (Trouble("brown-out", 0, 800, rate=1500), BOTH_DOWN, Trouble("brown-out", 830, 1e9, rate=1500)),
}

_NEVER: Final = 10**9
VARIANTS: Final = {
    "breaker and budget": HealthPolicy(),
    "no breaker": HealthPolicy(min_samples=_NEVER),
    "no budget": HealthPolicy(budget_floor=_NEVER),
    "neither": HealthPolicy(min_samples=_NEVER, budget_floor=_NEVER),
}


@dataclass
class Outcome:
    """What came of a simulation; lists are by second of arrival, or of the call."""

    answered: list[int]
    failed: list[int]
    calls: dict[str, list[int]]
    first_calls: dict[str, list[int]]
    """Of these calls, the first that a request made to the target."""
    retries: dict[str, list[int]]
    """By the second in which they were decided on."""
    served_by_primary: list[int]
    requests: int = 0
    excess: float = float("-inf")
    """By how many the retries of ten seconds exceeded what their budget allowed when the last of them was decided on;
    0 or less: never."""
    waits_s: list[float] = field(default_factory=list)
    """A sample of how long answered requests took."""


def simulate(policy: HealthPolicy, *, requests: int, seed: int = 1) -> Outcome:
    """So many requests at the usual rate, spread over the usual troubles."""
    rng = random.Random(seed)  # noqa: S311 it must be repeatable
    squeeze = requests / (RATE * DURATION_S)
    """A smaller run has the same troubles at a lower rate."""
    providers = {
        name: SimulatedProvider([each._replace(rate=each.rate * squeeze) for each in TROUBLES[name]], rng)
        for name in NAMES
    }
    targets = [
        Target.of(Provider(name=name, kind=KINDS["openai_compatible"], base_url="http://127.0.0.1"), "m")
        for name in NAMES
    ]
    plan = Plan("m", targets, policy=DEFAULT_POLICY)
    store = ProcessHealth(policy)
    seconds = int(DURATION_S) + int(DEADLINE_S) + 10
    outcome = Outcome(
        answered=[0] * seconds,
        failed=[0] * seconds,
        calls={name: [0] * seconds for name in NAMES},
        first_calls={name: [0] * seconds for name in NAMES},
        retries={name: [0] * seconds for name in NAMES},
        served_by_primary=[0] * seconds,
    )
    order = itertools.count()
    # (when, order, course, when it arrived, the target called before, what the call gives or None to ask what next)
    events: list[tuple[float, int, Course, float, str, GatewayError | None, bool]] = []
    arrivals = (rng.expovariate(RATE * squeeze) for _ in range(requests))
    next_arrival = next(arrivals)
    while events or outcome.requests < requests:
        if outcome.requests < requests and (not events or next_arrival <= events[0][0]):
            now = began = next_arrival
            course = Course(plan, store, rng, deadline=now + DEADLINE_S, stream=False)
            outcome.requests += 1
            next_arrival += next(arrivals, 0.0)
            called = ""
        else:
            now, _, course, began, called, error, is_end = heapq.heappop(events)
            if is_end:
                if error is None:
                    course.answered(now)
                    outcome.answered[int(began)] += 1
                    outcome.served_by_primary[int(began)] += called == NAMES[0]
                    if outcome.requests % 100 == 0:
                        outcome.waits_s.append(now - began)
                    continue
                course.failed(error, now)
        step = course.next(now)
        if isinstance(step, Wait):
            # It is decided now that the target is called again.
            outcome.retries[called][int(now)] += 1
            outcome.excess = max(outcome.excess, _excess(outcome, called, int(now), policy))
        match step:
            case Go(target=target):
                name = target.provider.name
                outcome.calls[name][int(now)] += 1
                outcome.first_calls[name][int(now)] += name != called
                answer = providers[name].call(now)
                heapq.heappush(events, (now + answer.after_s, next(order), course, began, name, answer.error, True))
            case Wait(until=until):
                heapq.heappush(events, (until, next(order), course, began, called, None, False))
            case Stop():
                outcome.failed[int(began)] += 1
    return outcome


def _excess(outcome: Outcome, name: str, second: int, policy: HealthPolicy) -> float:
    # The budget looks back over ten slots, the last of which has just begun; requests of a second that is partly
    # within count whole.
    span = int(BUDGET_WINDOW_S)
    spent = sum(outcome.retries[name][max(0, second - span + 1) : second + 1])
    requests = sum(outcome.first_calls[name][max(0, second - span) : second + 1])
    return spent - max(policy.budget_floor, policy.budget_ratio * requests)


def recovery_s(outcome: Outcome, trouble: Trouble) -> float:
    """How long after the trouble nine in ten requests are answered by the primary again, for five seconds on end."""
    steady = 0
    for second in range(int(trouble.end_s), len(outcome.answered)):
        arrived = outcome.answered[second] + outcome.failed[second]
        steady = steady + 1 if arrived and outcome.served_by_primary[second] >= 0.9 * arrived else 0
        if steady == 5:
            return second - 4 - trouble.end_s
    return float("inf")


def goodput(outcome: Outcome, trouble: Trouble) -> float:
    """The share of requests that were answered of those that came during the trouble."""
    during = slice(int(trouble.begin_s), int(trouble.end_s))
    answered, failed = sum(outcome.answered[during]), sum(outcome.failed[during])
    return answered / (answered + failed)
