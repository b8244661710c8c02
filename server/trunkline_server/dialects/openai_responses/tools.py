"""Tools on offer and the choice among them, for the Responses wire."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import CompleteRequest, Tool, ToolChoiceMode
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_responses.extensions import merge_extensions
from trunkline_server.dialects.openai_responses.names import DIALECT
from trunkline_server.dialects.translation import Translation

_MODES: Final[Mapping[int, str]] = {
    ToolChoiceMode.TOOL_CHOICE_MODE_UNSPECIFIED: "auto",
    ToolChoiceMode.TOOL_CHOICE_MODE_AUTO: "auto",
    ToolChoiceMode.TOOL_CHOICE_MODE_NONE: "none",
    ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED: "required",
    ToolChoiceMode.TOOL_CHOICE_MODE_VALIDATED: "auto",
}
_REQUIRED: Final = "required"
_BY_NAME: Final = frozenset({"function", "custom"})
# What the absence of `parameters` means, which is required here.
_NO_PARAMETERS: Final = orjson.Fragment('{"type":"object","properties":{}}')
_MCP: Final = "mcp"
# Tools of the provider that a tool_choice can demand by its type; others only as the one that is allowed.
_CHOOSABLE: Final = frozenset(
    {
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "shell",
        "web_search_preview",
        "web_search_preview_2025_03_11",
        _MCP,
    }
)


def encode_tools(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """Puts `tools` and `tool_choice` into the body."""
    offered: Sequence[int] = range(len(request.tools))
    if request.HasField("tool_choice"):
        offered = _choose(request, offered, body, translation)
    tools = [(request.tools[at].namespace, _tool(request.tools[at], f"tools[{at}]", translation)) for at in offered]
    if not tools:
        return
    body["tools"] = found = list[Json]()
    for namespace, group in groupby(tools, key=lambda entry: entry[0]):
        members = [tool for _, tool in group]
        if namespace and translation.target.provider.kind.responses.tool_groups:
            found.append({"type": "namespace", "name": namespace, "description": namespace, "tools": members})
        else:
            found += members


def settings_of(tool: Tool, path: str) -> Json:
    """The settings of a server tool."""
    try:
        settings = orjson.loads(tool.server.settings or "{}")
    except orjson.JSONDecodeError:
        settings = None
    if not isinstance(settings, dict):
        raise InvalidRequestError.at_field(f"{path}.server.settings", "is not a JSON object")
    return settings


def _choose(request: CompleteRequest, offered: Sequence[int], body: Json, translation: Translation) -> Sequence[int]:
    """Puts the `tool_choice`, and returns which tools to offer: all, unless the provider cannot choose by name."""
    quirks, wanted = translation.target.provider.kind.responses, request.tool_choice
    mode = _MODES.get(wanted.mode)
    if mode is None:
        raise InvalidRequestError.at_field("tool_choice.mode", "is auto, none, required or validated")
    if wanted.mode == ToolChoiceMode.TOOL_CHOICE_MODE_VALIDATED:
        translation.drop("tool_choice.mode", "this API cannot hold calls to their schemas; auto is sent")
    if not wanted.names or mode == "none":
        if offered or mode == _REQUIRED:
            body["tool_choice"] = mode
        return offered
    reference = _reference(request, wanted.names[0])
    if mode == _REQUIRED and len(wanted.names) == 1 and reference["type"] in _BY_NAME | _CHOOSABLE:
        body["tool_choice"] = reference
        return offered
    if quirks.allowed_tools:
        allowed = [_reference(request, name) for name in wanted.names]
        body["tool_choice"] = {"type": "allowed_tools", "mode": mode, "tools": allowed}
        return offered
    translation.emulate("tool_choice.names", "the provider cannot choose among several: only these tools are offered")
    body["tool_choice"] = mode
    names = frozenset(wanted.names)
    return [at for at in offered if request.tools[at].name in names]


def _reference(request: CompleteRequest, name: str) -> Json:
    tool = next((tool for tool in request.tools if tool.name == name), None)
    if tool is None or tool.WhichOneof("other") is None:
        return {"type": "function", "name": name}
    if tool.HasField("custom"):
        return {"type": "custom", "name": name}
    if tool.server.type == _MCP:
        return {"type": _MCP, "server_label": name}
    return {"type": tool.server.type}


def _tool(tool: Tool, path: str, translation: Translation) -> Json:
    match tool.WhichOneof("other"):
        case "custom":
            wire = _custom(tool, path, translation)
        case "server":
            wire = _server(tool, path, translation)
        case _:
            wire = _function(tool, path, translation)
    if tool.HasField("cache_ttl_s"):
        translation.drop(f"{path}.cache_ttl_s", "tools cannot carry a breakpoint in this API")
    if tool.namespace and not translation.target.provider.kind.responses.tool_groups:
        translation.drop(f"{path}.namespace", "the provider has no groups of tools")
    if tool.extensions:
        merge_extensions(wire, tool.extensions, f"{path}.", translation)
    return wire


def _function(tool: Tool, path: str, translation: Translation) -> Json:
    wire: Json = {"type": "function", "name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    # Embedded byte for byte: the engine has seen that it is JSON.
    wire["parameters"] = orjson.Fragment(tool.parameters) if tool.parameters else _NO_PARAMETERS
    # This API alone is strict unless told otherwise, and would change the schema of who said nothing.
    wire["strict"] = tool.strict
    if tool.output_schema:
        if translation.target.provider.kind.responses.tool_groups:
            wire["output_schema"] = orjson.Fragment(tool.output_schema)
        else:
            translation.drop(f"{path}.output_schema", "the provider has no such property of a tool")
    _put_deferral(wire, tool, path, translation)
    return wire


def _custom(tool: Tool, path: str, translation: Translation) -> Json:
    if not translation.target.provider.kind.responses.custom_tools:
        raise translation.refusal(f"{path}.custom", "the provider knows no custom tools")
    wire: Json = {"type": "custom", "name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    if tool.custom.grammar:
        syntax = tool.custom.syntax or "lark"
        wire["format"] = {"type": "grammar", "syntax": syntax, "definition": tool.custom.grammar}
    _put_deferral(wire, tool, path, translation)
    return wire


def _put_deferral(wire: Json, tool: Tool, path: str, translation: Translation) -> None:
    if not tool.defer_loading:
        return
    if translation.target.provider.kind.responses.tool_groups:
        wire["defer_loading"] = True
    else:
        translation.drop(f"{path}.defer_loading", "the provider has no such property of a tool")


def _server(tool: Tool, path: str, translation: Translation) -> Json:
    """A tool that the provider runs. An MCP server has a name, which is its label."""
    server = tool.server
    if server.dialect not in (DIALECT, translation.target.provider.kind.name):
        raise translation.refusal(f"{path}.server", f"the provider has no tools of {server.dialect}")
    wire = {**settings_of(tool, path), "type": server.type}
    if server.type == _MCP and tool.name:
        wire.setdefault("server_label", tool.name)
    return wire
