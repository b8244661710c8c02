"""What the operator allows to be done for a request, resolved when the configuration is loaded."""

from dataclasses import dataclass
from typing import Final, Literal

Continuation = Literal["off", "prefill", "restart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much trouble is taken over one request. Times are seconds."""

    max_retries: int = 2
    """Most further calls to the same target."""
    max_attempts: int = 10
    """Most calls in all."""
    backoff_s: float = 0.5
    """The longest first wait before a retry; each further one may be twice as long."""
    max_backoff_s: float = 8.0
    """The longest wait before any retry."""
    on_throttle: Literal["wait", "next"] = "wait"
    """Whether a throttled target may be waited for, or is given up at once."""
    max_throttle_wait_s: float = 3.0
    """The longest such wait, and the longest Retry-After that is waited for at all."""
    fall_back_on_refusal: bool = False
    """Whether content that one provider refused may be taken to another."""
    continuation: Continuation = "prefill"
    """How an answer that broke off is gone on with: not at all; by targets that go on from what was given; or else by
    asking afresh for the same answer, as long as it begins with what was given."""
    first_token_s: float = 120.0
    """Of a stream, from the call to the first content."""
    idle_s: float = 120.0
    """Between two pieces of an answer."""
    total_s: float = 600.0
    """For a whole request; a caller's own deadline counts where it is earlier."""


DEFAULT_POLICY: Final = Policy()
"""What the settings' defaults make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """When a target is spared. Times are seconds."""

    budget_ratio: float = 0.2
    """Retries allowed for each request, over the last ten seconds."""
    budget_floor: int = 10
    """Retries that are allowed in ten seconds whatever the number of requests."""
    min_samples: int = 5
    """Fewest results that the breaker judges by."""
    window_s: float = 30.0
    """How far back it looks."""
    failure_ratio: float = 0.5
    """The share of failures that opens it."""
    open_s: float = 5.0
    """How long it stays open the first time; each failed probe doubles that."""
    max_open_s: float = 20.0
    """The longest it stays open."""
    throttled_s: float = 5.0
    """How long a throttled target cools that did not say how long."""
    max_throttled_s: float = 300.0
    """The longest that a target is believed about it."""
    key_blocked_s: float = 60.0
    """How long a key is not used that was refused; each further refusal doubles that."""
    max_key_blocked_s: float = 600.0
    """The longest."""


DEFAULT_HEALTH_POLICY: Final = HealthPolicy()
"""What the settings' defaults make."""
