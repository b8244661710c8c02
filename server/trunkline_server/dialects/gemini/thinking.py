"""What a request asks of a model's thinking: by level from Gemini 3 on, by a budget of tokens before."""

from collections.abc import Mapping, Sequence
from typing import Final

from trunkline.v1 import Feature, ReasoningConfig, ReasoningContext, ReasoningDisplay, ReasoningEffort
from trunkline_server.dialects.gemini.generation import efforts_of, generation_of
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import Translation

Effort = ReasoningEffort

_LEVELS: Final[Mapping[int, str]] = {
    Effort.REASONING_EFFORT_MINIMAL: "MINIMAL",
    Effort.REASONING_EFFORT_LOW: "LOW",
    Effort.REASONING_EFFORT_MEDIUM: "MEDIUM",
    Effort.REASONING_EFFORT_HIGH: "HIGH",
    Effort.REASONING_EFFORT_XHIGH: "XHIGH",
    Effort.REASONING_EFFORT_MAX: "XHIGH",
}
# https://ai.google.dev/gemini-api/docs/thinking: the ranges are 128 to 32768 for Pro, 512 (of Flash-Lite) and 0 to 24576
# for the others.
_BUDGETS: Final[Mapping["ReasoningEffort.ValueType", int]] = {
    Effort.REASONING_EFFORT_NONE: 0,
    Effort.REASONING_EFFORT_MINIMAL: 128,
    Effort.REASONING_EFFORT_LOW: 2048,
    Effort.REASONING_EFFORT_MEDIUM: 8192,
    Effort.REASONING_EFFORT_HIGH: 24576,
    Effort.REASONING_EFFORT_XHIGH: 24576,
    Effort.REASONING_EFFORT_MAX: 24576,
}
_PRO_LEAST, _PRO_MOST, _LITE_LEAST, _MOST = 128, 32768, 512, 24576
_UNBOUNDED: Final = -1


def put_thinking(wanted: ReasoningConfig, config: Json, translation: Translation) -> None:
    """Puts `thinkingConfig` into the generationConfig, as the target's model takes it."""
    if wanted.context > ReasoningContext.REASONING_CONTEXT_AUTO:
        translation.drop("reasoning.context", "this API gives the model what the contents hold")
    generation = generation_of(translation.target)
    can_think = generation.thinks_by_level or generation.thinks_by_budget
    if not can_think or translation.target.facts.cannot(Feature.FEATURE_REASONING):
        _note_thoughtless(wanted, translation)
        return
    thinking: Json = {}
    if generation.thinks_by_level:
        _put_level(wanted, thinking, translation)
    else:
        _put_budget(wanted, thinking, translation)
    if wanted.display:
        thinking["includeThoughts"] = wanted.display != ReasoningDisplay.REASONING_DISPLAY_HIDDEN
        if wanted.display in (ReasoningDisplay.REASONING_DISPLAY_CONCISE, ReasoningDisplay.REASONING_DISPLAY_DETAILED):
            translation.rewrite("reasoning.display", "the provider has summaries of one length", "includeThoughts")
    if thinking:
        config["thinkingConfig"] = thinking


def _note_thoughtless(wanted: ReasoningConfig, translation: Translation) -> None:
    """Not to think is what happens anyway; anything else cannot be had."""
    for name, asked in (
        ("effort", wanted.effort > Effort.REASONING_EFFORT_NONE),
        ("native_effort", bool(wanted.native_effort)),
        ("budget_tokens", wanted.budget_tokens != 0),
        ("enabled", wanted.enabled),
    ):
        if asked:
            translation.drop(f"reasoning.{name}", "the model does not think")


def _effort(wanted: ReasoningConfig) -> "tuple[ReasoningEffort.ValueType, str]":
    """How much thinking is wanted, and which field says so. Unspecified: as much as the provider thinks fit."""
    if wanted.HasField("enabled"):
        if not wanted.enabled:
            return Effort.REASONING_EFFORT_NONE, "reasoning.enabled"
        if wanted.effort == Effort.REASONING_EFFORT_NONE:
            return Effort.REASONING_EFFORT_UNSPECIFIED, "reasoning.effort"
    return wanted.effort, "reasoning.effort"


def _put_level(wanted: ReasoningConfig, thinking: Json, translation: Translation) -> None:
    if wanted.native_effort:
        thinking["thinkingLevel"] = wanted.native_effort.upper()
        return
    effort, field = _effort(wanted)
    if not effort:
        if not wanted.HasField("budget_tokens") or wanted.budget_tokens < 0:
            return
        effort, field = _effort_for(wanted.budget_tokens), "reasoning.budget_tokens"
    elif effort not in _LEVELS and effort != Effort.REASONING_EFFORT_NONE:
        translation.drop(field, f"the value {effort} is not known")
        return
    level = _LEVELS[_nearest(effort, efforts_of(translation.target))]
    thinking["thinkingLevel"] = level
    if field != "reasoning.effort":
        translation.rewrite(field, "the model thinks by levels", level)
    elif _LEVELS.get(effort) != level:
        translation.rewrite(field, "the model has no such level", level)


def _nearest(
    effort: "ReasoningEffort.ValueType", efforts: "Sequence[ReasoningEffort.ValueType]"
) -> "ReasoningEffort.ValueType":
    """The effort, or the nearest that the model has: rather more than less."""
    levels = [known for known in efforts if known in _LEVELS]
    return min(levels or [Effort.REASONING_EFFORT_HIGH], key=lambda known: (abs(known - effort), -known))


def _effort_for(budget_tokens: int) -> "ReasoningEffort.ValueType":
    """The least effort that such a budget would do for."""
    return next((effort for effort, budget in _BUDGETS.items() if budget >= budget_tokens), Effort.REASONING_EFFORT_MAX)


def _put_budget(wanted: ReasoningConfig, thinking: Json, translation: Translation) -> None:
    effort, field = _effort(wanted)
    if wanted.native_effort:
        translation.drop("reasoning.native_effort", "the model thinks by a budget of tokens")
    if field == "reasoning.enabled":
        asked = 0
    elif wanted.HasField("budget_tokens"):
        asked, field = max(wanted.budget_tokens, _UNBOUNDED), "reasoning.budget_tokens"
    elif effort in _BUDGETS:
        most = effort > Effort.REASONING_EFFORT_HIGH and generation_of(translation.target).pro
        asked = _PRO_MOST if most else _BUDGETS[effort]
    elif effort:
        translation.drop(field, f"the value {effort} is not known")
        return
    elif wanted.enabled:
        asked = _UNBOUNDED
    else:
        return
    budget = _bounded(asked, translation)
    thinking["thinkingBudget"] = budget
    if budget != asked and (field != "reasoning.effort" or not asked):
        translation.rewrite(field, "it is out of the range of this model", str(budget))


def _bounded(budget: int, translation: Translation) -> int:
    generation = generation_of(translation.target)
    if generation.pro:
        return budget if budget == _UNBOUNDED else min(max(budget, _PRO_LEAST), _PRO_MOST)
    if generation.version is None or budget <= 0:
        return budget
    return min(max(budget, _LITE_LEAST if generation.lite else 1), _MOST)
