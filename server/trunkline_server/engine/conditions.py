"""How targets are doing, as OperationsService tells it."""

from trunkline.v1 import TargetCondition, TargetState
from trunkline_server.routing.health import BreakerState, TargetHealth

_BREAKER = {
    BreakerState.OPEN: TargetCondition.TARGET_CONDITION_OPEN,
    BreakerState.HALF_OPEN: TargetCondition.TARGET_CONDITION_PROBING,
}


def target_state(health: TargetHealth, *, queued: int, now: float) -> TargetState:
    """What is known of one target at `now`, on the loop's clock."""
    failures, results = health.results(now)
    usable_keys = health.usable_keys(now)
    condition = _BREAKER.get(health.breaker(now))
    if condition is None:
        condition = TargetCondition.TARGET_CONDITION_WELL if usable_keys else TargetCondition.TARGET_CONDITION_COOLING
    found = TargetState(
        target=health.name,
        condition=condition,
        usable_in_ms=max(0, round((health.usable_at(now) - now) * 1000)),
        usable_keys=usable_keys,
        keys=health.keys,
        in_flight=health.in_flight,
        queued=queued,
        results=results,
        failures=failures,
        retries_left=health.retries_left(now),
    )
    if health.last_failure is not None:
        found.last_failure = health.last_failure.value
        found.last_failure_ms_ago = max(0, round((now - health.last_failure_at) * 1000))
    return found
