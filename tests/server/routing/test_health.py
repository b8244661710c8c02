"""Breaker, cooldown, keys and retry budget of a target, on a clock that the tests turn."""

import pytest

from targets import target_of
from trunkline_server.routing.failures import FailureClass
from trunkline_server.routing.health import MAX_TARGETS, BreakerState, KeyHealth, ProcessHealth, TargetHealth
from trunkline_server.routing.policy import HealthPolicy
from trunkline_server.routing.sliding import SlidingCounts

START = 1000.0
POLICY = HealthPolicy()


def health(keys: int = 1, policy: HealthPolicy = POLICY) -> TargetHealth:
    return TargetHealth("p/m", [KeyHealth() for _ in range(keys)], policy)


def call(found: TargetHealth, now: float, failure: FailureClass | None = None, after_s: float | None = None) -> int:
    """One call that ends at once; says with which key."""
    key = found.began(now, retry=False)
    if failure is None:
        found.answered(key, now)
    else:
        found.failed(failure, key, after_s, now, key_is_dead=failure is FailureClass.CREDENTIAL)
    found.ended()
    return key


def broken(now: float = START) -> TargetHealth:
    found = health()
    for _ in range(POLICY.min_samples):
        call(found, now, FailureClass.TRANSIENT)
    return found


def test_the_breaker_needs_samples_and_a_share_of_failures() -> None:
    found = health()
    for _ in range(POLICY.min_samples - 1):
        call(found, START, FailureClass.TRANSIENT)
    assert found.usable(START)
    call(found, START, FailureClass.SILENT)
    assert (found.usable(START), found.breaker(START)) == (False, BreakerState.OPEN)
    assert found.usable_at(START) == START + POLICY.open_s

    mostly_well = health()
    for number in range(20):
        call(mostly_well, START, FailureClass.TRANSIENT if number % 3 == 0 else None)
    assert mostly_well.usable(START)


def test_old_results_do_not_count() -> None:
    found = health()
    for _ in range(4):
        call(found, START, FailureClass.TRANSIENT)
    call(found, START + POLICY.window_s * 1.2, FailureClass.TRANSIENT)
    assert found.usable(START + POLICY.window_s * 1.2)
    assert found.results(START + POLICY.window_s * 1.2) == (1, 1)


def test_one_probe_at_a_time_goes_through_and_decides() -> None:
    found = broken()
    now = START + POLICY.open_s
    assert (found.usable(now), found.breaker(now)) == (True, BreakerState.HALF_OPEN)
    key = found.began(now, retry=False)
    assert not found.usable(now)
    found.failed(FailureClass.TRANSIENT, key, None, now)
    found.ended()
    assert found.usable_at(now) == now + 2 * POLICY.open_s
    now += 2 * POLICY.open_s
    key = found.began(now, retry=False)
    found.responding()
    assert found.breaker(now) is BreakerState.CLOSED
    assert found.usable(now)
    found.answered(key, now)
    found.ended()
    assert found.results(now) == (0, 1)
    assert found.in_flight == 0


def test_the_time_it_stays_open_is_bounded() -> None:
    found, now = broken(), START
    for _ in range(10):
        now = found.usable_at(now)
        call(found, now, FailureClass.TRANSIENT)
        assert found.usable_at(now) - now <= POLICY.max_open_s


def test_an_abandoned_probe_makes_room_for_another() -> None:
    found = broken()
    now = START + POLICY.open_s
    found.began(now, retry=False)
    found.abandoned()
    found.ended()
    assert found.usable(now)


@pytest.mark.parametrize(
    "failure", [FailureClass.REQUEST, FailureClass.REFUSED, FailureClass.WINDOW, FailureClass.TARGET]
)
def test_the_requests_own_faults_show_that_the_target_is_well(failure: FailureClass) -> None:
    found = health()
    for _ in range(20):
        call(found, START, failure)
    assert found.usable(START)
    assert found.results(START) == (0, 20)


def test_a_throttled_target_cools_as_long_as_it_said() -> None:
    found = health()
    found.cool(0, 7.0, START)
    assert not found.usable(START + 6.9)
    assert found.usable_at(START) == START + 7
    assert found.usable(START + 7)
    found.cool(0, None, START + 7)
    assert found.usable_at(START + 7) == START + 7 + POLICY.throttled_s
    found.cool(0, 1e9, START + 20)
    assert found.usable_at(START + 20) == START + 20 + POLICY.max_throttled_s


def test_keys_are_used_in_turn_and_one_that_is_refused_is_spared() -> None:
    found = health(keys=3)
    assert [call(found, START) for _ in range(4)] == [0, 1, 2, 0]
    assert call(found, START, FailureClass.CREDENTIAL) == 1
    assert [call(found, START) for _ in range(4)] == [2, 0, 2, 0]
    assert (found.usable_keys(START), found.keys) == (2, 3)
    later = START + POLICY.key_blocked_s
    assert sorted({call(found, later) for _ in range(3)}) == [0, 1, 2]


def test_a_key_is_blocked_longer_each_time_and_well_again_after_success() -> None:
    found, now, waits = health(), START, []
    for _ in range(6):
        call(found, now, FailureClass.CREDENTIAL)
        waits.append(found.usable_at(now) - now)
        now = found.usable_at(now)
    assert waits == [60, 120, 240, 480, 600, 600]
    call(found, now)
    call(found, now, FailureClass.QUOTA)
    assert found.usable_at(now) - now == 60


def test_keys_are_shared_by_the_targets_of_a_provider() -> None:
    store = ProcessHealth()
    one, other = store.of(target_of("openai", model="a")), store.of(target_of("openai", model="b"))
    call(one, START, FailureClass.CREDENTIAL)
    assert not other.usable(START)
    assert store.of(target_of("groq", model="a")).usable(START)


def test_a_refusal_that_is_not_the_keys_death_stays_with_the_target() -> None:
    store = ProcessHealth()
    one, other = store.of(target_of("openai", model="a")), store.of(target_of("openai", model="b"))
    key = one.began(START, retry=False)
    one.failed(FailureClass.CREDENTIAL, key, None, START)
    assert (one.usable(START), other.usable(START)) == (False, True)
    assert one.usable_at(START) == START + POLICY.key_blocked_s


def test_the_retry_budget_has_a_floor_and_grows_with_requests() -> None:
    found = health()
    assert [found.take_retry(START) for _ in range(POLICY.budget_floor + 1)] == [True] * POLICY.budget_floor + [False]
    for _ in range(100):
        found.began(START, retry=False)
    assert found.retries_left(START) == 20 - POLICY.budget_floor
    assert found.take_retry(START)
    assert found.retries_left(START + 100) == POLICY.budget_floor


def test_a_target_that_was_never_called_is_well_and_few_are_remembered() -> None:
    store = ProcessHealth()
    for number in range(MAX_TARGETS + 10):
        store.of(target_of("openai", model=f"m{number}"))
    assert len(store.known()) == MAX_TARGETS


def test_sliding_counts_forget_slot_by_slot() -> None:
    counts = SlidingCounts(10)
    for second in range(10):
        counts.add_first(START + second)
    assert counts.first == 10
    counts.advance(START + 12)
    assert counts.first == 7
    counts.advance(START + 1000)
    assert (counts.first, counts.second) == (0, 0)
