"""What a request asks of a model's thinking, in each form that vendors of this wire have for it."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import ReasoningConfig, ReasoningContext, ReasoningDisplay, ReasoningEffort
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import NO_SUCH_PARAMETER, Translation
from trunkline_server.providers.chat_quirks import ALL_EFFORTS

_EFFORTS: Final[Mapping[int, str]] = {
    ReasoningEffort.REASONING_EFFORT_NONE: "none",
    ReasoningEffort.REASONING_EFFORT_MINIMAL: "minimal",
    ReasoningEffort.REASONING_EFFORT_LOW: "low",
    ReasoningEffort.REASONING_EFFORT_MEDIUM: "medium",
    ReasoningEffort.REASONING_EFFORT_HIGH: "high",
    ReasoningEffort.REASONING_EFFORT_XHIGH: "xhigh",
    ReasoningEffort.REASONING_EFFORT_MAX: "max",
}
_SUMMARIES: Final[Mapping[int, str]] = {
    ReasoningDisplay.REASONING_DISPLAY_CONCISE: "concise",
    ReasoningDisplay.REASONING_DISPLAY_DETAILED: "detailed",
}
# By ChatQuirks.reasoning_form: the member that turns thinking on and off, and what it then is.
_SWITCHES: Final[Mapping[str, tuple[str, Mapping[bool, Json]]]] = {
    "thinking": ("thinking", {True: {"type": "enabled"}, False: {"type": "disabled"}}),
    "enabled": ("reasoning", {True: {"enabled": True}, False: {"enabled": False}}),
    "object": ("reasoning", {True: {"enabled": True}, False: {"enabled": False}}),
}
_NO_SWITCH: Final = "this API has efforts only"


def put_reasoning(wanted: ReasoningConfig, body: Json, translation: Translation) -> None:
    """Puts what is wanted into the body, as the target's provider takes it."""
    effort, field = _effort(wanted, translation)
    if effort == "" and wanted.HasField("enabled") and wanted.enabled:
        _switch(body, "reasoning.enabled", translation, on=True)
    if effort == "none" and _has_switch(translation):
        _switch(body, field, translation, on=False)
    elif effort:
        _put_effort(effort, field, body, translation)
    _put_budget(wanted, effort, body, translation)
    _put_display(wanted, body, translation)
    if wanted.context > ReasoningContext.REASONING_CONTEXT_AUTO:
        translation.drop("reasoning.context", "this API gives the model what the messages hold")


def _effort(wanted: ReasoningConfig, translation: Translation) -> tuple[str, str]:
    """How much thinking is wanted, and which field says so. Empty: as much as the provider thinks fit."""
    effort, field = wanted.native_effort, "reasoning.native_effort"
    if not effort:
        field = "reasoning.effort"
        effort = translation.word(_EFFORTS, wanted.effort, field)
    if wanted.HasField("enabled"):
        if not wanted.enabled and effort != "none":
            return "none", "reasoning.enabled"
        if wanted.enabled and effort == "none":
            return "", field
    return effort, field


def _has_switch(translation: Translation) -> bool:
    """Whether thinking is turned off by a switch, and not by an effort of none."""
    quirks = translation.target.provider.kind.chat
    return quirks.reasoning_form in _SWITCHES and "none" not in quirks.efforts


def _switch(body: Json, field: str, translation: Translation, *, on: bool) -> None:
    form = translation.target.provider.kind.chat.reasoning_form
    if form not in _SWITCHES:
        translation.drop(field, _NO_SWITCH)
        return
    member, values = _SWITCHES[form]
    body[member] = dict(values[on])
    if field != "reasoning.enabled":
        translation.rewrite(field, "the provider has a switch for it", member)


def _put_effort(effort: str, field: str, body: Json, translation: Translation) -> None:
    quirks = translation.target.provider.kind.chat
    if "reasoning_effort" not in quirks.members:
        translation.drop(field)
    elif quirks.reasoning_form == "object":
        body["reasoning"] = {"effort": _known_effort(effort, field, translation)}
    else:
        body["reasoning_effort"] = _known_effort(effort, field, translation)


def _known_effort(effort: str, field: str, translation: Translation) -> str:
    """The effort, or its nearest neighbour that the provider has: rather more than less, and never none instead.

    A vendor's own word goes as it is.
    """
    efforts = translation.target.provider.kind.chat.efforts
    if effort in efforts or effort not in ALL_EFFORTS:
        if field == "reasoning.enabled":
            translation.rewrite(field, _NO_SWITCH, effort)
        return effort
    at = ALL_EFFORTS.index(effort)
    others = [other for other in efforts if other != "none"]
    nearest = min(others, key=lambda other: (abs(ALL_EFFORTS.index(other) - at), -ALL_EFFORTS.index(other)))
    translation.rewrite(field, f"the provider has no effort {effort!r}", nearest)
    return nearest


def _put_budget(wanted: ReasoningConfig, effort: str, body: Json, translation: Translation) -> None:
    if not wanted.HasField("budget_tokens") or wanted.budget_tokens < 0:
        return
    quirks = translation.target.provider.kind.chat
    if "thinking_token_budget" in quirks.members:
        body["thinking_token_budget"] = wanted.budget_tokens
    elif effort:
        pass  # beside an effort it is for other targets
    elif quirks.reasoning_form == "object":
        body["reasoning"] = {"max_tokens": wanted.budget_tokens}
    else:
        translation.drop("reasoning.budget_tokens")


def _put_display(wanted: ReasoningConfig, body: Json, translation: Translation) -> None:
    quirks, field = translation.target.provider.kind.chat, "reasoning.display"
    summary = _SUMMARIES.get(wanted.display)
    hidden = wanted.display == ReasoningDisplay.REASONING_DISPLAY_HIDDEN
    if quirks.reasoning_form == "object" and (hidden or summary):
        body.setdefault("reasoning", {}).update({"summary": summary} if summary else {"exclude": True})
    elif hidden and "include_reasoning" in quirks.members:
        body["include_reasoning"] = False
    elif hidden:
        translation.drop(field, NO_SUCH_PARAMETER)
    elif summary:
        translation.drop(field, "this API cannot be asked for a summary")
