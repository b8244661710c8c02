"""How targets have been doing: breaker, cooldown, keys and retry budget of each. Pure: the time is always given.

What is known is kept for one process. `Health` is the seam for a store that several processes share.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, Protocol

from trunkline.errors import GatewayError
from trunkline_server.providers.target import Target
from trunkline_server.routing.failures import TREATMENTS, FailureClass
from trunkline_server.routing.policy import DEFAULT_HEALTH_POLICY, HealthPolicy
from trunkline_server.routing.sliding import SlidingCounts

BUDGET_WINDOW_S: Final = 10.0
PROBE_S: Final = 1.0
"""When to look again at a target that is being probed: nobody knows how long that will take."""
MAX_TARGETS: Final = 10_000
"""Most targets that are remembered: callers may name any model of an open provider."""


class BreakerState(Enum):
    """Whether calls go through."""

    CLOSED = "closed"
    """They do."""
    OPEN = "open"
    """They don't."""
    HALF_OPEN = "half_open"
    """One may, to see how the target is doing."""


class KeyHealth:
    """One of a provider's keys."""

    __slots__ = ("blocked_until", "blocks")

    def __init__(self) -> None:
        self.blocked_until = 0.0
        self.blocks = 0
        """How often in a row it was refused."""


class TargetHealth:
    """One target as this process knows it. A call to it is `began`, then ends as one of the others."""

    __slots__ = (
        "_budget",
        "_calm",
        "_cooling",
        "_keys",
        "_next_key",
        "_only_key",
        "_open_s",
        "_policy",
        "_probing",
        "_results",
        "in_flight",
        "last_failure",
        "last_failure_at",
        "name",
        "open_until",
    )

    def __init__(self, name: str, keys: Sequence[KeyHealth], policy: HealthPolicy) -> None:
        """`keys` are shared with the provider's other targets; there is at least one."""
        self.name = name
        self._policy = policy
        self._keys = keys
        self._only_key = keys[0] if len(keys) == 1 else None
        self._cooling = [0.0] * len(keys)
        self._next_key = 0
        self._results = SlidingCounts(policy.window_s)
        self._budget = SlidingCounts(BUDGET_WINDOW_S)
        self._probing = False
        self._open_s = 0.0
        self._calm = True
        self.open_until = 0.0
        """When the breaker lets a probe through; 0: it is closed."""
        self.in_flight = 0
        self.last_failure: FailureClass | None = None
        self.last_failure_at = 0.0

    # What is asked before a call.

    def usable(self, now: float) -> bool:
        """Whether it may be called."""
        if self._calm:
            if self._keys[0].blocked_until <= now:
                return True
        elif self._only_key is not None and (self._cooling[0] > now or self._only_key.blocked_until > now):
            return False  # what most that are passed over are: known without a look at everything
        if not self._breaker_lets_through(now) or self._key(now) is None:
            return False
        self._calm = not self.open_until and all(cooling <= now for cooling in self._cooling)
        return True

    def usable_at(self, now: float) -> float:
        """When it may be called as far as can be told now; `now` or earlier: at once."""
        key_at = min(max(cooling, key.blocked_until) for cooling, key in zip(self._cooling, self._keys, strict=True))
        breaker_at = now + PROBE_S if self._probing else self.open_until
        return max(key_at, breaker_at)

    def take_retry(self, now: float) -> bool:
        """Whether its retry budget has room for one more, which is then taken.

        It is taken when the retry is decided on, not when it goes out: those that wait would all find the same room.
        """
        if not self.retries_left(now):
            return False
        self._budget.add_second(now)
        return True

    def breaker(self, now: float) -> BreakerState:
        """What the breaker does."""
        if not self.open_until:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probing or now >= self.open_until else BreakerState.OPEN

    def usable_keys(self, now: float) -> int:
        """How many of its keys may be used."""
        return sum(self._key_usable(index, now) for index in range(len(self._keys)))

    @property
    def keys(self) -> int:
        """How many keys there are; 1 where the provider needs none."""
        return len(self._keys)

    def results(self, now: float) -> tuple[int, int]:
        """Failures and all results within the breaker's window."""
        self._results.advance(now)
        return self._results.first, self._results.first + self._results.second

    def retries_left(self, now: float) -> int:
        """What is left of the retry budget."""
        self._budget.advance(now)
        allowed = max(self._policy.budget_floor, self._policy.budget_ratio * self._budget.first)
        return max(0, int(allowed) - self._budget.second)

    # What happens with a call.

    def began(self, now: float, *, retry: bool) -> int:
        """A call goes out; says with which of the keys. Call it only while `usable`. A `retry` was taken before."""
        self.in_flight += 1
        if not retry:
            self._budget.add_first(now)
        if self.open_until:
            self._probing = True
        if len(self._keys) == 1:
            return 0
        key = self._key(now)
        if key is None:
            key = self._next_key
        self._next_key = (key + 1) % len(self._keys)
        return key

    def responding(self) -> None:
        """The first content has arrived: a probe need not be awaited to its end."""
        if self.open_until:
            self.open_until = self._open_s = 0.0
            self._probing = False
            self._results.clear()

    def answered(self, key_index: int, now: float) -> None:
        """The call was answered in full."""
        self.responding()
        self._results.add_second(now)
        self._keys[key_index].blocks = 0

    def failed(
        self,
        failure: FailureClass,
        key_index: int,
        retry_after_s: float | None,
        now: float,
        *,
        key_is_dead: bool = False,
    ) -> None:
        """The call failed. A failure that is the request's own shows that the target is well.

        `key_is_dead` says that the provider does not know the key at all, so that no target is served with it.
        """
        self.last_failure, self.last_failure_at = failure, now
        treatment = TREATMENTS[failure]
        if treatment.blocks_key:
            if key_is_dead:
                self._block(key_index, retry_after_s, now)
            else:
                self.cool(key_index, max(self._policy.key_blocked_s, retry_after_s or 0.0), now)
        if treatment.counts:
            self._results.add_first(now)
            self._judge(now)
        elif failure in _WELL:
            self.answered(key_index, now)
        self._probing = False

    def cool(self, key_index: int, retry_after_s: float | None, now: float) -> None:
        """It is throttled with this key, for as long as it said."""
        policy = self._policy
        cool_s = policy.throttled_s if retry_after_s is None else min(retry_after_s, policy.max_throttled_s)
        self._cooling[key_index] = max(self._cooling[key_index], now + cool_s)
        self._calm = False

    def ended(self) -> None:
        """The call is over, however; every `began` must come to this."""
        self.in_flight -= 1

    def abandoned(self) -> None:
        """The caller gave the call up, which says nothing about the target; another may be the probe."""
        self._probing = False

    def _breaker_lets_through(self, now: float) -> bool:
        return not self.open_until or (now >= self.open_until and not self._probing)

    def _key(self, now: float) -> int | None:
        """The next usable key in turn."""
        count = len(self._keys)
        for offset in range(count):
            index = (self._next_key + offset) % count
            if self._key_usable(index, now):
                return index
        return None

    def _key_usable(self, index: int, now: float) -> bool:
        return self._cooling[index] <= now and self._keys[index].blocked_until <= now

    def _block(self, key_index: int, retry_after_s: float | None, now: float) -> None:
        key, policy = self._keys[key_index], self._policy
        if key.blocked_until > now:
            return  # calls that were under way together are one refusal
        block_s = min(policy.key_blocked_s * 2**key.blocks, policy.max_key_blocked_s)
        key.blocks = min(key.blocks + 1, 16)
        key.blocked_until = now + max(block_s, min(retry_after_s or 0.0, policy.max_key_blocked_s))
        self._calm = False

    def _judge(self, now: float) -> None:
        policy, results = self._policy, self._results
        if self.open_until:
            if self._probing:
                self._open(now)
            return
        total = results.first + results.second
        if total >= policy.min_samples and results.first >= policy.failure_ratio * total:
            self._open(now)

    def _open(self, now: float) -> None:
        policy = self._policy
        self._open_s = min(self._open_s * 2 or policy.open_s, policy.max_open_s)
        self.open_until = now + self._open_s
        self._calm = False


class Health(Protocol):
    """Where the health of targets is kept."""

    def of(self, target: Target) -> TargetHealth:
        """One target's; a target that was never called is well."""
        ...


class ProcessHealth:
    """Kept in this process. Not for use by several threads."""

    def __init__(self, policy: HealthPolicy = DEFAULT_HEALTH_POLICY) -> None:
        self._policy = policy
        self._targets: dict[str, TargetHealth] = {}
        self._keys: dict[str, list[KeyHealth]] = {}

    def of(self, target: Target) -> TargetHealth:
        found = self._targets.get(target.name)
        return self._add(target) if found is None else found

    def known(self) -> list[TargetHealth]:
        """All that were called, in the order of their first calls."""
        return list(self._targets.values())

    def _add(self, target: Target) -> TargetHealth:
        provider = target.provider
        keys = self._keys.get(provider.name)
        if keys is None:
            keys = self._keys[provider.name] = [KeyHealth() for _ in provider.api_keys or (None,)]
        if len(self._targets) >= MAX_TARGETS:
            idle = next((name for name, health in self._targets.items() if not health.in_flight), None)
            if idle is not None:
                del self._targets[idle]
        found = self._targets[target.name] = TargetHealth(target.name, keys, self._policy)
        return found


_WELL: Final = frozenset({FailureClass.WINDOW, FailureClass.TARGET, FailureClass.REQUEST, FailureClass.REFUSED})


def retry_after_s(error: GatewayError) -> float | None:
    """How long the provider asked to wait."""
    return None if error.retry_after_ms is None else error.retry_after_ms / 1000
