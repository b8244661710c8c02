"""Going on from words of the assistant that stand last."""

from collections.abc import Sequence

from trunkline.v1 import Feature, Message, Role
from trunkline_server.dialects.translation import Translation


def check_prefill(messages: Sequence[Message], translation: Translation) -> None:
    """Refuses to have an answer gone on with by a model that is known not to."""
    last = messages[-1] if messages else None
    if last is None or last.role != Role.ROLE_ASSISTANT:
        return
    if translation.target.facts.cannot(Feature.FEATURE_PREFILL):
        raise translation.refusal(f"messages[{len(messages) - 1}]", "the model does not go on from words of its own")
