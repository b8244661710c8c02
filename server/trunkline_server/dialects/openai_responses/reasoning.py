"""What a request asks of a model's thinking, as the wire's `reasoning`."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import ReasoningConfig, ReasoningContext, ReasoningDisplay
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_efforts import EFFORTS, NO_SWITCH, known_effort, wanted_effort
from trunkline_server.dialects.openai_responses.thinking_models import can_reason
from trunkline_server.dialects.translation import Translation

_SUMMARIES: Final[Mapping[int, str]] = {
    ReasoningDisplay.REASONING_DISPLAY_AUTO: "auto",
    ReasoningDisplay.REASONING_DISPLAY_CONCISE: "concise",
    ReasoningDisplay.REASONING_DISPLAY_DETAILED: "detailed",
}
_CONTEXTS: Final[Mapping[int, str]] = {
    ReasoningContext.REASONING_CONTEXT_AUTO: "auto",
    ReasoningContext.REASONING_CONTEXT_CURRENT_TURN: "current_turn",
    ReasoningContext.REASONING_CONTEXT_ALL_TURNS: "all_turns",
}
_NONE: Final = "none"


def encode_reasoning(wanted: ReasoningConfig, translation: Translation) -> Json:
    """The member `reasoning`; empty if there is nothing to ask for."""
    effort, field = wanted_effort(wanted, translation)
    if can_reason(translation.target) is False:
        _note_thoughtless(wanted, effort, field, translation)
        return {}
    reasoning: Json = {}
    if effort:
        reasoning["effort"] = known_effort(effort, field, _efforts(translation), translation)
    elif wanted.enabled:
        translation.drop("reasoning.enabled", NO_SWITCH)
    if wanted.budget_tokens > 0 and not effort:
        translation.drop("reasoning.budget_tokens", NO_SWITCH)
    _put_display(wanted, reasoning, translation)
    return reasoning


def _note_thoughtless(wanted: ReasoningConfig, effort: str, field: str, translation: Translation) -> None:
    """Not to think is what happens anyway; anything else cannot be had."""
    if effort not in ("", _NONE):
        translation.drop(field, "the model does not think")
    if wanted.budget_tokens > 0:
        translation.drop("reasoning.budget_tokens", "the model does not think")


def _efforts(translation: Translation) -> tuple[str, ...]:
    """Those that the model takes if that is known, else those of its provider."""
    known = tuple(EFFORTS[effort] for effort in translation.target.facts.reasoning_efforts if effort in EFFORTS)
    return known or translation.target.provider.kind.responses.efforts


def _put_display(wanted: ReasoningConfig, reasoning: Json, translation: Translation) -> None:
    """Nothing is shown unasked, save by those who show all they have and cannot be asked."""
    can_be_asked = translation.target.provider.kind.responses.summaries
    if summary := _SUMMARIES.get(wanted.display):
        if can_be_asked:
            reasoning["summary"] = summary
        elif wanted.display != ReasoningDisplay.REASONING_DISPLAY_AUTO:
            translation.drop("reasoning.display", "the provider cannot be asked for a summary")
    elif wanted.display == ReasoningDisplay.REASONING_DISPLAY_HIDDEN and not can_be_asked:
        translation.drop("reasoning.display", "the provider shows what it shows")
    if context := translation.word(_CONTEXTS, wanted.context, "reasoning.context"):
        if can_be_asked:
            reasoning["context"] = context
        elif wanted.context != ReasoningContext.REASONING_CONTEXT_AUTO:
            translation.drop("reasoning.context", "the provider gives the model what the items hold")
