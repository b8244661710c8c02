"""Which targets a request may go to, in the order they are tried."""

from collections.abc import Sequence
from dataclasses import dataclass

from trunkline_server.providers.target import Target
from trunkline_server.routing.policy import DEFAULT_POLICY, Policy


@dataclass(frozen=True, slots=True)
class Plan:
    """What a model name means for one request."""

    model: str
    """As the client named it."""
    targets: Sequence[Target]
    """At least one; the first is preferred."""
    route: str = ""
    """The configured model name that it came from; empty: the client named a target."""
    policy: Policy = DEFAULT_POLICY
    """How much trouble is taken over it."""
