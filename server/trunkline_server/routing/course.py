"""One request's way through its plan: which target next, how long to wait, or why to stop. Pure."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from trunkline.errors import (
    DeadlineError,
    GatewayError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderThrottledError,
    ProviderUnavailableError,
)
from trunkline_server.providers.target import Target
from trunkline_server.routing.failures import TREATMENTS, FailureClass, classify
from trunkline_server.routing.health import Health, TargetHealth, retry_after_s
from trunkline_server.routing.plan import Plan
from trunkline_server.routing.policy import Policy
from trunkline_server.routing.step import Go, Step, Stop, Wait

MIN_CALL_S: Final = 0.05
"""No call is begun, and nothing is waited for, that would leave less than this of the deadline."""
SHARE: Final = 0.4
"""What of the time left a target gets while another could still be called: whoever comes next has more."""
THROTTLE_WAIT_S: Final = 1.0
"""How long a throttled target is waited for that did not say how long."""

UNAUTHORIZED: Final = 401
FAIR_S: Final = 2.0
"""A target that was given up for its silence sooner than this is not held to be unwell."""

# Which failure tells the caller most, where several targets failed in different ways: what the caller can mend, then
# what waiting mends, then what somebody else must mend.
_TELLING: Final = (
    FailureClass.ENDED,
    FailureClass.REFUSED,
    FailureClass.REQUEST,
    FailureClass.WINDOW,
    FailureClass.THROTTLED,
    FailureClass.TRANSIENT,
    FailureClass.SILENT,
    FailureClass.QUOTA,
    FailureClass.CREDENTIAL,
    FailureClass.TARGET,
)
_LIMITED: Final = frozenset({FailureClass.THROTTLED, FailureClass.QUOTA})


class Course:
    """Decides for one request. Ask `next`; say what became of a call by `answered`, `failed` or `abandoned`.

    Times are seconds on one clock, which the caller reads.
    """

    __slots__ = (
        "_called_at",
        "_calls",
        "_failed",
        "_given_up",
        "_health",
        "_key_index",
        "_plan",
        "_position",
        "_retries",
        "_retry_at",
        "_rng",
        "_stop",
        "_store",
        "_throttled",
        "_too_small",
        "deadline",
        "stream",
    )

    def __init__(self, plan: Plan, store: Health, rng: random.Random, *, deadline: float, stream: bool) -> None:
        self.deadline = deadline
        self.stream = stream
        self._plan = plan
        self._store = store
        self._rng = rng
        self._calls = 0
        self._position = 0
        """Of the target that is called, or looked at next."""
        self._retries = 0
        self._throttled = False
        self._retry_at: float | None = None
        """When the same target is called again; None: it is not."""
        self._stop: GatewayError | None = None
        self._failed: list[tuple[FailureClass, GatewayError]] = []
        self._given_up: set[int] = set()
        self._too_small = 0
        """The largest window that the prompt did not fit; 0: it fitted all so far."""
        self._health: TargetHealth | None = None
        self._key_index = 0
        self._called_at = 0.0

    @property
    def policy(self) -> Policy:
        """What is allowed for this request."""
        return self._plan.policy

    def next(self, now: float) -> Step:
        """What to do; after a `Wait`, ask again."""
        if self._stop is not None:
            return Stop(self._stop)
        targets = self._plan.targets
        if self._retry_at is not None:
            if now < self._retry_at:
                return Wait(self._retry_at)
            self._retry_at = None
            health = self._store.of(targets[self._position])
            if health.usable(now):
                return self._go(self._position, health, now, retry=True)
            self._give_up()
        busy: int | None = None
        given_up, of, anything_fits = self._given_up, self._store.of, not self._too_small
        for position in range(self._position, len(targets)):
            target = targets[position]
            if position in given_up or not (anything_fits or self._fits(target)):
                continue
            health = of(target)
            if not health.usable(now):
                continue
            if target.max_concurrent is None or health.in_flight < target.max_concurrent:
                return self._go(position, health, now, retry=False)
            if busy is None:
                busy = position
        if busy is not None:
            # Everybody is busy: the request queues for the one it prefers.
            return self._go(busy, self._store.of(targets[busy]), now, retry=False)
        return Stop(self._exhausted(now))

    def again(self, now: float) -> Go | Stop:
        """The target that answered last is called once more: it paused, and the rest of the answer is its own to give."""
        return self._go(self._position, self._store.of(self._plan.targets[self._position]), now, retry=False)

    def resume(self, now: float, may: Callable[[Target], object], *, again: bool = False) -> Go | Stop:
        """Who goes on with an answer that broke off, after `broke_off` has told of it.

        `may` says whether a target can go on at all. Other targets come first; the one that broke off comes last, and
        only if it may be retried. With `again` the target of the last call comes first: it refused only the way in
        which it was asked to go on.
        """
        failure, error = self._failed[-1]
        if self._calls >= self.policy.max_attempts or now + MIN_CALL_S > self.deadline:
            return Stop(error)
        last, targets = self._position, self._plan.targets
        order = [position for position in range(len(targets)) if position != last and position not in self._given_up]
        if again:
            order.insert(0, last)
        elif last not in self._given_up and TREATMENTS[failure].retry_same and self._retries < self.policy.max_retries:
            order.append(last)
        for position in order:
            health = self._store.of(targets[position])
            retry = position == last and not again
            if not may(targets[position]) or not health.usable(now) or (retry and not health.take_retry(now)):
                continue
            self._retries += retry
            return self._go(position, health, now, retry=retry)
        return Stop(error)

    def responding(self) -> None:
        """The call that `Go` was about brings content."""
        if self._health is not None:
            self._health.responding()

    def answered(self, now: float) -> None:
        """The call was answered in full."""
        if self._health is not None:
            self._health.answered(self._key_index, now)
            self._health.ended()
            self._health = None

    def abandoned(self) -> None:
        """The call was given up by the caller, or by a defect: that says nothing about the target."""
        if self._health is not None:
            self._health.abandoned()
            self._health.ended()
            self._health = None

    def failed(self, error: GatewayError, now: float) -> FailureClass:
        """The call failed before the caller was given anything; says what that is a sign of."""
        failure, health = self._ended_badly(error, now)
        self._decide(failure, error, health, now)
        return failure

    def broke_off(self, error: GatewayError, now: float, *, gave: bool) -> FailureClass:
        """The call failed after the caller was given content, by it if it `gave`, or by an earlier one.

        Says what that is a sign of; `resume` tells who goes on. A target that gave nothing is not asked again.
        """
        failure, health = self._ended_badly(error, now)
        if failure is FailureClass.THROTTLED and health is not None:
            health.cool(self._key_index, retry_after_s(error), now)
        if failure is FailureClass.SILENT or not gave:
            self._give_up()
        return failure

    def _ended_badly(self, error: GatewayError, now: float) -> tuple[FailureClass, TargetHealth | None]:
        failure = classify(error)
        health, self._health = self._health, None
        self._failed.append((failure, error))
        if health is None:
            return failure, None  # it was never sent, such as when it could not be encoded
        hasty = failure is FailureClass.SILENT and now - self._called_at < FAIR_S
        if failure is FailureClass.ENDED or hasty:
            # A caller in a hurry says nothing about the target.
            health.abandoned()
        else:
            # Other refusals, such as a model that the key may not use, say nothing about the provider's other models.
            dead = error.provider_status == UNAUTHORIZED
            health.failed(failure, self._key_index, retry_after_s(error), now, key_is_dead=dead)
        health.ended()
        return failure, health

    def passed_over(self, error: GatewayError) -> None:
        """The target of the last `Go` could not be called, because too many already wait for it."""
        self._failed.append((FailureClass.TARGET, error))
        self.abandoned()
        self._give_up()

    def _decide(self, failure: FailureClass, error: GatewayError, health: TargetHealth | None, now: float) -> None:
        treatment, policy = TREATMENTS[failure], self.policy
        try_next = treatment.try_next or (failure is FailureClass.REFUSED and policy.fall_back_on_refusal)
        if not (treatment.retry_same or try_next) or self._calls >= policy.max_attempts:
            self._stop = self._most_telling() if try_next else error
            return
        if health is not None and (wait_s := self._wait_before_retry(failure, error, health, now)) is not None:
            self._retry_at = now + wait_s
            return
        if failure is FailureClass.THROTTLED and health is not None:
            health.cool(self._key_index, retry_after_s(error), now)
        if failure is FailureClass.WINDOW:
            window = self._plan.targets[self._position].facts.max_input_tokens
            # Of a window that is not known no other is known to be larger.
            self._too_small = max(self._too_small, window) if window and self._too_small >= 0 else -1
        self._give_up()

    def _wait_before_retry(
        self, failure: FailureClass, error: GatewayError, health: TargetHealth, now: float
    ) -> float | None:
        """How long to wait before the same target is called again; None: it is not."""
        policy, asked_s = self.policy, retry_after_s(error)
        if failure in (FailureClass.CREDENTIAL, FailureClass.QUOTA):
            # Another key, if there is one left, has nothing to wait for.
            return 0.0 if health.usable(now) else None
        if failure is FailureClass.THROTTLED:
            if health.keys > 1:
                health.cool(self._key_index, asked_s, now)
                if health.usable(now):
                    return 0.0
            wait_s = THROTTLE_WAIT_S if asked_s is None else asked_s
            if self._throttled or policy.on_throttle != "wait" or wait_s > policy.max_throttle_wait_s:
                return None
        elif failure is FailureClass.TRANSIENT:
            longest_s = min(policy.max_backoff_s, policy.backoff_s * 2**self._retries)
            wait_s = max(self._rng.uniform(0.0, longest_s), asked_s or 0.0)
            if asked_s is not None and asked_s > policy.max_throttle_wait_s:
                health.cool(self._key_index, asked_s, now)
                return None
        else:
            return None
        if self._retries >= policy.max_retries or now + wait_s + MIN_CALL_S > self.deadline:
            return None
        if failure is FailureClass.TRANSIENT and not health.usable(now):
            return None
        if not health.take_retry(now):
            return None
        self._retries += 1
        self._throttled = self._throttled or failure is FailureClass.THROTTLED
        return wait_s

    def _go(self, position: int, health: TargetHealth, now: float, *, retry: bool) -> Go | Stop:
        left_s = self.deadline - now
        if left_s < MIN_CALL_S:
            return Stop(self._failed[-1][1] if self._failed else _deadline_passed())
        if position != self._position:
            self._position = position
            self._retries = 0
            self._throttled = False
        targets = self._plan.targets
        limit_at = self.deadline
        if position + 1 < len(targets) and self._has_other(position, now):
            limit_at = now + left_s * SHARE
        if self.stream:
            limit_at = min(limit_at, now + self.policy.first_token_s)
        self._calls += 1
        self._called_at = now
        self._health = health
        self._key_index = health.began(now, retry=retry)
        return Go(targets[position], self._key_index, limit_at)

    def has_other(self, now: float) -> bool:
        """Whether another target may still be called after the present one."""
        return self._calls < self.policy.max_attempts and self._has_other(self._position, now)

    def _has_other(self, position: int, now: float) -> bool:
        targets: Sequence[Target] = self._plan.targets
        for later in range(position + 1, len(targets)):
            target = targets[later]
            if later not in self._given_up and self._fits(target) and self._store.of(target).usable(now):
                return True
        return False

    def _give_up(self) -> None:
        """The present target is not called again."""
        self._given_up.add(self._position)
        self._retries = 0
        self._throttled = False

    def _fits(self, target: Target) -> bool:
        """Whether the prompt may fit the target's window as far as is known from those that it did not fit."""
        if not self._too_small:
            return True
        window = target.facts.max_input_tokens
        return self._too_small > 0 and window is not None and window > self._too_small

    def _exhausted(self, now: float) -> GatewayError:
        """What the caller is told when no target is left."""
        error = self._most_telling()
        soonest = min((self._store.of(target).usable_at(now) for target in self._plan.targets), default=now)
        wait_ms = max(0, round((soonest - now) * 1000))
        if error is None:
            return self._all_cooling(wait_ms)
        if wait_ms and classify(error) in _WAITABLE:
            error.retry_after_ms = wait_ms
        return error

    def _all_cooling(self, wait_ms: int) -> GatewayError:
        """Nobody may be called just now: why, and when to come back."""
        targets = self._plan.targets
        failures = {self._store.of(target).last_failure for target in targets}
        named = (
            targets[0].name if len(targets) == 1 else f"each of the {len(targets)} targets of {self._plan.model[:128]}"
        )
        if failures == {FailureClass.CREDENTIAL}:
            return ProviderCredentialsError(f"{named} refused the gateway's credentials; its operator must act")
        if failures == {FailureClass.QUOTA}:
            return ProviderQuotaError(f"the gateway's quota at {named} is spent; its operator must act")
        if failures <= _LIMITED:
            return ProviderThrottledError(f"{named} is throttled; try again later", retry_after_ms=wait_ms)
        return ProviderUnavailableError(
            f"{named} is not called for a while, after failures; try again later", retry_after_ms=wait_ms
        )

    def _most_telling(self) -> GatewayError | None:
        """Of those that tell as much, the last."""
        for failure in _TELLING:
            for found, error in reversed(self._failed):
                if found is failure:
                    return error
        return None


_WAITABLE: Final = frozenset({FailureClass.THROTTLED, FailureClass.TRANSIENT, FailureClass.SILENT})


def _deadline_passed() -> DeadlineError:
    return DeadlineError("the request's deadline passed before a target could be called")
