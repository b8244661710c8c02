"""What a request asks of a model's thinking: by effort from Claude 4.6 on, by a budget of tokens before."""

from collections.abc import Mapping, Sequence
from typing import Final

from trunkline.v1 import Feature, ReasoningConfig, ReasoningContext, ReasoningDisplay, ReasoningEffort
from trunkline_server.dialects.anthropic.conversation import lacks_thinking
from trunkline_server.dialects.anthropic.generation import (
    always_thinks,
    efforts_of,
    generation_of,
    max_tokens_of,
    thinks_by_budget,
)
from trunkline_server.dialects.anthropic.names import ANSWER_TOOL
from trunkline_server.dialects.anthropic.tools import FORCED, loosen_choice
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import Translation

Effort = ReasoningEffort

_WORDS: Final[Mapping[int, str]] = {
    Effort.REASONING_EFFORT_LOW: "low",
    Effort.REASONING_EFFORT_MEDIUM: "medium",
    Effort.REASONING_EFFORT_HIGH: "high",
    Effort.REASONING_EFFORT_XHIGH: "xhigh",
    Effort.REASONING_EFFORT_MAX: "max",
}
_BUDGETS: Final[Mapping["ReasoningEffort.ValueType", int]] = {
    Effort.REASONING_EFFORT_MINIMAL: 1024,
    Effort.REASONING_EFFORT_LOW: 2048,
    Effort.REASONING_EFFORT_MEDIUM: 10_000,
    Effort.REASONING_EFFORT_HIGH: 16_384,
    Effort.REASONING_EFFORT_XHIGH: 32_768,
}
# https://platform.claude.com/docs/en/build-with-claude/extended-thinking
_LEAST_BUDGET: Final = 1024
_DISPLAYS: Final[Mapping[int, str]] = {
    ReasoningDisplay.REASONING_DISPLAY_HIDDEN: "omitted",
    ReasoningDisplay.REASONING_DISPLAY_AUTO: "summarized",
    ReasoningDisplay.REASONING_DISPLAY_CONCISE: "summarized",
    ReasoningDisplay.REASONING_DISPLAY_DETAILED: "summarized",
}
_LENGTHS: Final = (ReasoningDisplay.REASONING_DISPLAY_CONCISE, ReasoningDisplay.REASONING_DISPLAY_DETAILED)
BETWEEN_TOOLS: Final = "between_tools"
"""A way of thinking that has no effort: what the model writes between calls comes back as thinking."""


def put_thinking(wanted: ReasoningConfig, body: Json, translation: Translation) -> None:
    """Puts `thinking` and the effort into the body, in which all else has its place already."""
    if wanted.context > ReasoningContext.REASONING_CONTEXT_AUTO:
        translation.drop("reasoning.context", "this API gives the model what the messages hold")
    target = translation.target
    adaptively, by_budget = generation_of(target).thinks_adaptively, thinks_by_budget(target)
    if not (adaptively or by_budget) or target.facts.cannot(Feature.FEATURE_REASONING):
        _note_thoughtless(wanted, translation)
        return
    if adaptively and not (by_budget and wanted.budget_tokens > 0):
        thinking = _adaptive(wanted, body, translation)
    else:
        thinking = _budget(wanted, body, translation)
    if not thinking:
        return
    if wanted.display and thinking["type"] in ("adaptive", "enabled"):
        if display := translation.word(_DISPLAYS, wanted.display, "reasoning.display"):
            thinking["display"] = display
        if wanted.display in _LENGTHS:
            translation.rewrite("reasoning.display", "the provider has summaries of one length", display)
    body["thinking"] = thinking


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


def _is_off(wanted: ReasoningConfig) -> bool:
    """Whether no thinking is wanted."""
    if wanted.HasField("enabled"):
        return not wanted.enabled
    if wanted.effort:
        return wanted.effort == Effort.REASONING_EFFORT_NONE
    return wanted.HasField("budget_tokens") and wanted.budget_tokens == 0


def _adaptive(wanted: ReasoningConfig, body: Json, translation: Translation) -> Json:
    if wanted.native_effort == BETWEEN_TOOLS:
        return {"type": BETWEEN_TOOLS}
    if wanted.native_effort in _WORDS.values():
        body.setdefault("output_config", {})["effort"] = wanted.native_effort
        return {"type": "adaptive"}
    if wanted.native_effort:
        translation.drop("reasoning.native_effort", f"the provider has {', '.join(_WORDS.values())}")
    if _is_off(wanted):
        if not always_thinks(translation.target):
            return {"type": "disabled"}
        least = _WORDS[_nearest(Effort.REASONING_EFFORT_LOW, efforts_of(translation.target))]
        translation.emulate("reasoning.effort", "the model cannot but think: it is told to think little", least)
        body.setdefault("output_config", {})["effort"] = least
        return {"type": "adaptive"}
    effort, field = wanted.effort, "reasoning.effort"
    if effort <= Effort.REASONING_EFFORT_NONE:
        if wanted.budget_tokens <= 0:
            return {"type": "adaptive"} if wanted.enabled or wanted.budget_tokens < 0 or wanted.display else {}
        effort, field = _effort_for(wanted.budget_tokens), "reasoning.budget_tokens"
    elif effort not in _WORDS and effort != Effort.REASONING_EFFORT_MINIMAL:
        translation.drop(field, f"the value {effort} is not known")
        return {}
    word = _WORDS[_nearest(effort, efforts_of(translation.target))]
    if field != "reasoning.effort":
        translation.rewrite(field, "the model thinks by efforts", word)
    elif _WORDS.get(effort) != word:
        translation.rewrite(field, "the model has no such effort", word)
    body.setdefault("output_config", {})["effort"] = word
    return {"type": "adaptive"}


def _nearest(
    effort: "ReasoningEffort.ValueType", efforts: "Sequence[ReasoningEffort.ValueType]"
) -> "ReasoningEffort.ValueType":
    """The effort, or the next more that the model has, or else its most."""
    known = sorted(one for one in efforts if one in _WORDS) or [Effort.REASONING_EFFORT_HIGH]
    return next((one for one in known if one >= effort), known[-1])


def _effort_for(budget_tokens: int) -> "ReasoningEffort.ValueType":
    """The least effort that such a budget would do for."""
    return next((effort for effort, budget in _BUDGETS.items() if budget >= budget_tokens), Effort.REASONING_EFFORT_MAX)


def _budget(wanted: ReasoningConfig, body: Json, translation: Translation) -> Json:
    if wanted.native_effort:
        translation.drop("reasoning.native_effort", "the model thinks by a budget of tokens")
    if _is_off(wanted):
        return {}
    max_tokens: int = body["max_tokens"]
    field = "reasoning.effort"
    if wanted.HasField("budget_tokens"):
        field = "reasoning.budget_tokens"
        asked = wanted.budget_tokens if wanted.budget_tokens >= 0 else _BUDGETS[Effort.REASONING_EFFORT_MEDIUM]
    elif wanted.effort in _BUDGETS:
        asked = _BUDGETS[wanted.effort]
    elif wanted.effort == Effort.REASONING_EFFORT_MAX:
        asked = max_tokens_of(translation.target) - 1
    elif wanted.effort > Effort.REASONING_EFFORT_NONE:
        translation.drop(field, f"the value {wanted.effort} is not known")
        return {}
    elif wanted.enabled:
        field, asked = "reasoning.enabled", _BUDGETS[Effort.REASONING_EFFORT_MEDIUM]
    else:
        return {}
    if reason := _hindrance(body, max_tokens):
        translation.drop(field, reason)
        return {}
    budget = min(max(asked, _LEAST_BUDGET), max_tokens - 1)
    if budget != asked:
        translation.rewrite(field, f"a budget is at least {_LEAST_BUDGET}, and less than all output", str(budget))
    if body.get("tool_choice", {}).get("type") in FORCED:
        loosen_choice(body, "no call can be demanded of a model that thinks by a budget", translation)
    return {"type": "enabled", "budget_tokens": budget}


def _hindrance(body: Json, max_tokens: int) -> str:
    """Why there can be no thinking; empty: nothing speaks against it."""
    if max_tokens <= _LEAST_BUDGET:
        return f"there is no room for it: the least budget is {_LEAST_BUDGET}, and less than all output"
    if lacks_thinking(body["messages"]):
        return "the turn that is to be gone on with has lost the thinking before its calls"
    if any(tool.get("name") == ANSWER_TOOL for tool in body.get("tools", ())):
        return "a model that thinks by a budget cannot be made to call the tool that the answer's form needs"
    return ""
