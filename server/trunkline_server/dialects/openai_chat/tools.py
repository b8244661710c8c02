"""Tools on offer and the choice among them, for the chat completions wire."""

from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import CompleteRequest, Tool, ToolChoiceMode
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_chat.extensions import merge_extensions
from trunkline_server.dialects.openai_chat.names import DIALECT
from trunkline_server.dialects.translation import Translation

Positions = frozenset[int]
"""Which of the request's tools are meant."""

_MODES: Final[Mapping[int, str]] = {
    ToolChoiceMode.TOOL_CHOICE_MODE_UNSPECIFIED: "auto",
    ToolChoiceMode.TOOL_CHOICE_MODE_AUTO: "auto",
    ToolChoiceMode.TOOL_CHOICE_MODE_NONE: "none",
    ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED: "required",
    ToolChoiceMode.TOOL_CHOICE_MODE_VALIDATED: "auto",
}
_NO_DEMAND: Final = "the provider cannot be made to call"
# Some vendors refuse a function without `parameters`; this is what its absence means.
_NO_PARAMETERS: Final = orjson.Fragment('{"type":"object","properties":{}}')


def encode_tools(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """Puts `tools` and `tool_choice` into the body."""
    offered, choice = frozenset(range(len(request.tools))), None
    if request.HasField("tool_choice"):
        offered, choice = _choose(request, offered, translation)
    if offered:
        body["tools"] = [_tool(request.tools[at], f"tools[{at}]", translation) for at in sorted(offered)]
    if choice is not None:
        body["tool_choice"] = choice


def _choose(
    request: CompleteRequest, tools: Positions, translation: Translation
) -> tuple[Positions, str | Json | None]:
    """The tools to offer and the tool_choice to send; where the provider cannot say it, by what is offered."""
    quirks = translation.target.provider.kind.chat
    wanted = request.tool_choice
    mode = _MODES.get(wanted.mode)
    if mode is None:
        raise InvalidRequestError.at_field("tool_choice.mode", "is auto, none, required or validated")
    if wanted.mode == ToolChoiceMode.TOOL_CHOICE_MODE_VALIDATED:
        translation.drop("tool_choice.mode", "this API cannot hold calls to their schemas; auto is sent")
    if "tool_choice" not in quirks.members:
        return _by_offer(request, tools, mode, translation), None
    if mode == "required" and not quirks.required_choice:
        translation.drop("tool_choice.mode", _NO_DEMAND)
        mode = "auto"
    demands = mode == "required"
    mode = quirks.required_choice if demands else mode
    if not wanted.names or mode == "none":
        # "auto" and "none" without tools are what happens anyway, and OpenAI refuses them.
        return tools, mode if tools or demands else None
    if demands and len(wanted.names) == 1 and quirks.named_tool_choice:
        return tools, _reference(request, wanted.names[0])
    if quirks.allowed_tools:
        allowed = [_reference(request, name) for name in wanted.names]
        return tools, {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}
    return _only_named(request, translation), mode


def _by_offer(request: CompleteRequest, tools: Positions, mode: str, translation: Translation) -> Positions:
    """The tools to offer to a provider that has no tool_choice."""
    if mode == "none":
        if tools:
            translation.emulate("tool_choice.mode", "the provider cannot be told not to call: no tools are offered")
        return frozenset()
    if mode == "required":
        translation.drop("tool_choice.mode", _NO_DEMAND)
    return _only_named(request, translation) if request.tool_choice.names else tools


def _only_named(request: CompleteRequest, translation: Translation) -> Positions:
    names = frozenset(request.tool_choice.names)
    translation.emulate("tool_choice.names", "the provider cannot choose by name: only these tools are offered")
    return frozenset(at for at, tool in enumerate(request.tools) if tool.name in names)


def _reference(request: CompleteRequest, name: str) -> Json:
    kind = "custom" if any(tool.name == name and tool.HasField("custom") for tool in request.tools) else "function"
    return {"type": kind, kind: {"name": name}}


def _tool(tool: Tool, path: str, translation: Translation) -> Json:
    match tool.WhichOneof("other"):
        case "custom":
            wire = _custom(tool, path, translation)
        case "server":
            wire = _server(tool, path, translation)
        case _:
            wire = _function(tool)
    if tool.HasField("cache_ttl_s"):
        translation.drop(f"{path}.cache_ttl_s", "tools cannot carry a breakpoint in this API")
    for name in ("defer_loading", "namespace", "output_schema"):
        if getattr(tool, name):
            translation.drop(f"{path}.{name}", "this API has no such property of a tool")
    if tool.extensions:
        merge_extensions(wire, tool.extensions, f"{path}.", translation)
    return wire


def _function(tool: Tool) -> Json:
    function: Json = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    # Embedded byte for byte: the engine has seen that it is JSON.
    function["parameters"] = orjson.Fragment(tool.parameters) if tool.parameters else _NO_PARAMETERS
    if tool.HasField("strict"):
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _custom(tool: Tool, path: str, translation: Translation) -> Json:
    if not translation.target.provider.kind.chat.custom_tools:
        raise translation.refusal(f"{path}.custom", "the provider knows no custom tools")
    custom: Json = {"name": tool.name}
    if tool.description:
        custom["description"] = tool.description
    if tool.custom.grammar:
        grammar = {"syntax": tool.custom.syntax or "lark", "definition": tool.custom.grammar}
        custom["format"] = {"type": "grammar", "grammar": grammar}
    return {"type": "custom", "custom": custom}


def _server(tool: Tool, path: str, translation: Translation) -> Json:
    server = tool.server
    if server.dialect not in (DIALECT, translation.target.provider.kind.name):
        raise translation.refusal(f"{path}.server", f"the provider has no tools of {server.dialect}")
    try:
        settings = orjson.loads(server.settings or "{}")
    except orjson.JSONDecodeError:
        settings = None
    if not isinstance(settings, dict):
        raise InvalidRequestError.at_field(f"{path}.server.settings", "is not a JSON object")
    return {**settings, "type": server.type}
