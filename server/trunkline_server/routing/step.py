"""What a request does next."""

from dataclasses import dataclass

from trunkline.errors import GatewayError
from trunkline_server.providers.target import Target


@dataclass(frozen=True, slots=True)
class Go:
    """Call a target now."""

    target: Target
    key_index: int
    """Which of the provider's keys to send."""
    limit_at: float
    """When the target is given up if it has not begun to answer, on the loop's clock: its share of the deadline."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait, then ask again what to do."""

    until: float
    """On the loop's clock."""


@dataclass(frozen=True, slots=True)
class Stop:
    """There is nothing left to try."""

    error: GatewayError
    """What the caller is told."""


Step = Go | Wait | Stop
