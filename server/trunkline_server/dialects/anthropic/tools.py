"""Tools on offer and the choice among them, for Claude's wire."""

import re
from collections.abc import Sequence
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import CompleteRequest, Tool, ToolChoice, ToolChoiceMode
from trunkline_server.dialects.anthropic.cache_marks import CacheMarks
from trunkline_server.dialects.anthropic.closed_schema import closed_schema
from trunkline_server.dialects.anthropic.generation import takes_forced_calls, takes_strict_tools
from trunkline_server.dialects.anthropic.names import ANSWER_TOOL, DIALECT
from trunkline_server.dialects.extensions import merge_extensions
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import Translation

_AUTO, _ANY, _TOOL, _NONE = "auto", "any", "tool", "none"
FORCED: Final = (_ANY, _TOOL)
"""Types of choices that demand a call."""
_NO_SUCH_PROPERTY: Final = "this API has no such property of a tool"
# "web_search_20260318" is called web_search.
_DATE: Final = re.compile(r"_\d{8}$")


def encode_tools(request: CompleteRequest, body: Json, translation: Translation, marks: CacheMarks) -> None:
    """Puts `tools` and `tool_choice` into the body."""
    offered = _offered(request, translation)
    tools = [_tool(tool, path, translation, marks) for tool, path in offered]
    choice = _choice(request, translation)
    if not tools:
        if choice.get("type") in FORCED:
            translation.drop("tool_choice", "there are no tools to choose among")
        return
    body["tools"] = tools
    if request.HasField("parallel_tool_calls") and not request.parallel_tool_calls and choice.get("type") != _NONE:
        choice = {"type": _AUTO, **choice, "disable_parallel_tool_use": True}
    if choice:
        body["tool_choice"] = choice


def loosen_choice(body: Json, reason: str, translation: Translation) -> None:
    """Leaves to the model whether it calls, where a call cannot be demanded."""
    choice = body["tool_choice"]
    translation.drop("tool_choice.mode", reason)
    choice.pop("name", None)
    choice["type"] = _AUTO


def _offered(request: CompleteRequest, translation: Translation) -> list[tuple[Tool, str]]:
    """The tools, or those of them that the choice is confined to."""
    offered = [(tool, f"tools[{at}]") for at, tool in enumerate(request.tools[:])]
    for tool, path in offered:
        if tool.name == ANSWER_TOOL:
            raise translation.refusal(f"{path}.name", "is a name that the gateway itself uses")
    if not request.HasField("tool_choice"):
        return offered
    names = request.tool_choice.names
    if not names or request.tool_choice.mode == ToolChoiceMode.TOOL_CHOICE_MODE_NONE or _is_named(request.tool_choice):
        return offered
    confined = [(tool, path) for tool, path in offered if tool.name in names]
    if len(confined) < len(offered):
        translation.emulate("tool_choice.names", "only these tools are sent, which a cached prompt cannot be read with")
    return confined


def _is_named(choice: ToolChoice) -> bool:
    return choice.mode == ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED and len(choice.names) == 1


def _choice(request: CompleteRequest, translation: Translation) -> Json:
    """The tool_choice; empty where it would say what happens anyway."""
    if not request.HasField("tool_choice"):
        return {}
    wanted = request.tool_choice
    match wanted.mode:
        case ToolChoiceMode.TOOL_CHOICE_MODE_UNSPECIFIED | ToolChoiceMode.TOOL_CHOICE_MODE_AUTO:
            return {}
        case ToolChoiceMode.TOOL_CHOICE_MODE_VALIDATED:
            translation.drop("tool_choice.mode", "calls are held to their schemas tool by tool (strict)")
            return {}
        case ToolChoiceMode.TOOL_CHOICE_MODE_NONE:
            return {"type": _NONE}
        case ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED:
            found: Json = {"type": _TOOL, "name": wanted.names[0]} if _is_named(wanted) else {"type": _ANY}
        case _:
            raise InvalidRequestError.at_field("tool_choice.mode", "is auto, none, required or validated")
    if takes_forced_calls(translation.target):
        return found
    translation.drop("tool_choice.mode", "no call can be demanded of this model")
    return {}


def _tool(tool: Tool, path: str, translation: Translation, marks: CacheMarks) -> Json:
    match tool.WhichOneof("other"):
        case "server":
            wire = _server(tool, path, translation)
        case "custom":
            raise translation.refusal(f"{path}.custom", "the provider knows no custom tools")
        case _:
            wire = _function(tool, path, translation)
    if tool.defer_loading:
        wire["defer_loading"] = True
    for name in ("namespace", "output_schema"):
        if getattr(tool, name):
            translation.drop(f"{path}.{name}", _NO_SUCH_PROPERTY)
    if tool.HasField("cache_ttl_s"):
        marks.mark(wire, tool.cache_ttl_s, path)
    if tool.extensions:
        merge_extensions(wire, tool.extensions, f"{path}.", translation, DIALECT)
    return wire


def _function(tool: Tool, path: str, translation: Translation) -> Json:
    wire: Json = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    wire["input_schema"] = _schema(tool.parameters, path, translation)
    if tool.HasField("strict"):
        _put_strict(wire, tool, path, translation)
    return wire


def _schema(text: str, path: str, translation: Translation) -> orjson.Fragment | Json:
    """The schema byte for byte, if it is of an object as it must be. The engine has seen that it is JSON."""
    if not text:
        return {"type": "object", "properties": {}}
    schema = orjson.loads(text)
    if not isinstance(schema, dict):
        raise InvalidRequestError.at_field(f"{path}.parameters", "is not a JSON object")
    if "type" in schema:
        return orjson.Fragment(text)
    translation.rewrite(f"{path}.parameters", "the provider wants to be told that it is an object", "object")
    return {"type": "object", **schema}


def _put_strict(wire: Json, tool: Tool, path: str, translation: Translation) -> None:
    if not takes_strict_tools(translation.target):
        if tool.strict:
            translation.drop(f"{path}.strict", "the model is not held to schemas")
        return
    if tool.strict:
        closed = closed_schema(tool.parameters) if tool.parameters else None
        if closed is None and tool.parameters:
            translation.drop(f"{path}.strict", "the schema has an object open to other members")
            return
        if not tool.parameters:
            wire["input_schema"]["additionalProperties"] = False
        elif closed is not None and closed.changed:
            translation.rewrite(f"{path}.parameters", "objects are closed to other members (additionalProperties)")
            schema = closed.wire
            wire["input_schema"] = {"type": "object", **schema} if isinstance(schema, dict) else schema
    wire["strict"] = tool.strict


def _server(tool: Tool, path: str, translation: Translation) -> Json:
    """A tool that the provider runs, or that it has trained its models for."""
    server = tool.server
    if server.dialect not in (DIALECT, translation.target.provider.kind.name):
        raise translation.refusal(f"{path}.server", f"the provider has no tools of {server.dialect}")
    try:
        settings = orjson.loads(server.settings or "{}")
    except orjson.JSONDecodeError:
        settings = None
    if not isinstance(settings, dict):
        raise InvalidRequestError.at_field(f"{path}.server.settings", "is not a JSON object")
    wire: Json = {"type": server.type}
    if _is_toolset(server.type):
        return wire | settings
    wire["name"] = tool.name or settings.get("name") or _DATE.sub("", server.type)
    return {**settings, **wire}


def _is_toolset(kind: str) -> bool:
    """Toolsets, such as browser_toolset_20260801, name their members themselves."""
    return "_toolset_" in kind or kind == "mcp_toolset"


def names_of(tools: Sequence[Json]) -> list[str]:
    """The names of tools as they are sent."""
    return [tool["name"] for tool in tools if "name" in tool]
