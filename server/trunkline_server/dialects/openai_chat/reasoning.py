"""What a request asks of a model's thinking, in each form that vendors of this wire have for it."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import ReasoningConfig, ReasoningContext, ReasoningDisplay
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_efforts import NO_SWITCH, known_effort, wanted_effort
from trunkline_server.dialects.translation import NO_SUCH_PARAMETER, Translation

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


def put_reasoning(wanted: ReasoningConfig, body: Json, translation: Translation) -> None:
    """Puts what is wanted into the body, as the target's provider takes it."""
    effort, field = wanted_effort(wanted, translation)
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


def _has_switch(translation: Translation) -> bool:
    """Whether thinking is turned off by a switch, and not by an effort of none."""
    quirks = translation.target.provider.kind.chat
    return quirks.reasoning_form in _SWITCHES and "none" not in quirks.efforts


def _switch(body: Json, field: str, translation: Translation, *, on: bool) -> None:
    form = translation.target.provider.kind.chat.reasoning_form
    if form not in _SWITCHES:
        translation.drop(field, NO_SWITCH)
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
        body["reasoning"] = {"effort": known_effort(effort, field, quirks.efforts, translation)}
    else:
        body["reasoning_effort"] = known_effort(effort, field, quirks.efforts, translation)


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
