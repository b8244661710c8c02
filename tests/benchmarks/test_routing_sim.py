"""A small run of the simulation: the properties that the large one shows."""

from benchmarks.routing_sim.simulation import (
    BROWN_OUT,
    OUTAGE,
    STORM,
    VARIANTS,
    goodput,
    recovery_s,
    simulate,
)

REQUESTS = 40_000


def test_retries_keep_to_their_budget_and_the_primary_comes_back() -> None:
    policy = VARIANTS["breaker and budget"]
    outcome = simulate(policy, requests=REQUESTS)
    assert outcome.requests == REQUESTS == sum(outcome.answered) + sum(outcome.failed)
    assert outcome.excess <= 0
    assert recovery_s(outcome, OUTAGE) <= 30
    assert recovery_s(outcome, STORM) <= 30
    for trouble in (OUTAGE, BROWN_OUT, STORM):
        assert goodput(outcome, trouble) > 0.95


def test_without_them_an_outage_is_made_worse() -> None:
    spared = simulate(VARIANTS["breaker and budget"], requests=REQUESTS)
    flooded = simulate(VARIANTS["neither"], requests=REQUESTS)
    during = slice(int(OUTAGE.begin_s), int(OUTAGE.end_s))
    assert sum(flooded.calls["primary"][during]) > 5 * sum(spared.calls["primary"][during])
    assert sum(map(sum, flooded.retries.values())) > 3 * sum(map(sum, spared.retries.values()))
