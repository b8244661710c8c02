"""Where the state of an earlier answer may go back to: to the model that made it, and to nobody else."""

from trunkline.v1 import Part
from trunkline_server.dialects.translation import Translation


def is_own(part: Part, translation: Translation) -> bool:
    """Whether the part's state was made by the target. Clients of other APIs cannot say who made it."""
    state, target = part.state, translation.target
    return not state.provider or (state.provider, state.model) == (target.provider.name, target.model)


def is_only_id(part: Part) -> bool:
    """Whether the part's state is no more than a provider's id: elsewhere nothing is lost without it."""
    return not part.state.kind and not part.state.data
