"""How hard a model is asked to think, in the words that OpenAI's APIs share."""

from collections.abc import Mapping, Sequence
from typing import Final

from trunkline.v1 import ReasoningConfig, ReasoningEffort
from trunkline_server.dialects.translation import Translation
from trunkline_server.providers.chat_quirks import ALL_EFFORTS

EFFORTS: Final[Mapping[int, str]] = {
    ReasoningEffort.REASONING_EFFORT_NONE: "none",
    ReasoningEffort.REASONING_EFFORT_MINIMAL: "minimal",
    ReasoningEffort.REASONING_EFFORT_LOW: "low",
    ReasoningEffort.REASONING_EFFORT_MEDIUM: "medium",
    ReasoningEffort.REASONING_EFFORT_HIGH: "high",
    ReasoningEffort.REASONING_EFFORT_XHIGH: "xhigh",
    ReasoningEffort.REASONING_EFFORT_MAX: "max",
}
NO_SWITCH: Final = "this API has efforts only"


def wanted_effort(wanted: ReasoningConfig, translation: Translation) -> tuple[str, str]:
    """How much thinking is wanted, and which field says so. Empty: as much as the provider thinks fit."""
    effort, field = wanted.native_effort, "reasoning.native_effort"
    if not effort:
        field = "reasoning.effort"
        effort = translation.word(EFFORTS, wanted.effort, field)
    if wanted.HasField("enabled"):
        if not wanted.enabled and effort != "none":
            return "none", "reasoning.enabled"
        if wanted.enabled and effort == "none":
            return "", field
    return effort, field


def known_effort(effort: str, field: str, efforts: Sequence[str], translation: Translation) -> str:
    """The effort, or the nearest of `efforts`, which the target has: rather more than less, and never none instead.

    A vendor's own word goes as it is.
    """
    if effort in efforts or effort not in ALL_EFFORTS:
        if field == "reasoning.enabled":
            translation.rewrite(field, NO_SWITCH, effort)
        return effort
    at = ALL_EFFORTS.index(effort)
    others = [other for other in efforts if other != "none"]
    nearest = min(others, key=lambda other: (abs(ALL_EFFORTS.index(other) - at), -ALL_EFFORTS.index(other)))
    translation.rewrite(field, f"the provider has no effort {effort!r}", nearest)
    return nearest
