"""Tools on offer and the choice among them, for Gemini's wire."""

from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import CompleteRequest, Tool, ToolChoiceMode
from trunkline_server.dialects.extensions import merge_extensions
from trunkline_server.dialects.gemini.generation import generation_of
from trunkline_server.dialects.gemini.names import DIALECT
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import Translation

_AUTO, _ANY, _NONE, _VALIDATED = "AUTO", "ANY", "NONE", "VALIDATED"
_MODES: Final[Mapping[int, str]] = {
    ToolChoiceMode.TOOL_CHOICE_MODE_UNSPECIFIED: _AUTO,
    ToolChoiceMode.TOOL_CHOICE_MODE_AUTO: _AUTO,
    ToolChoiceMode.TOOL_CHOICE_MODE_NONE: _NONE,
    ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED: _ANY,
    ToolChoiceMode.TOOL_CHOICE_MODE_VALIDATED: _VALIDATED,
}
_NO_SUCH_PROPERTY: Final = "this API has no such property of a tool"


def encode_tools(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """Puts `tools` and `toolConfig` into the body."""
    functions: list[Json] = []
    tools: list[Json] = []
    strict: int | None = None
    for at, tool in enumerate(request.tools[:]):
        if strict is None and tool.strict:
            strict = at
        path = f"tools[{at}]"
        match tool.WhichOneof("other"):
            case "server":
                tools.append(_server(tool, path, translation))
            case "custom":
                raise translation.refusal(f"{path}.custom", "the provider knows no custom tools")
            case _:
                functions.append(_function(tool, path, translation))
    config: Json = {}
    if choice := _choice(request, strict, translation):
        config["functionCallingConfig"] = choice
    if functions and tools:
        _note_mixture(config, translation)
    if functions:
        tools.insert(0, {"functionDeclarations": functions})
    if tools:
        body["tools"] = tools
    if config:
        body["toolConfig"] = config
    if request.HasField("parallel_tool_calls") and not request.parallel_tool_calls:
        translation.drop("parallel_tool_calls", "the provider cannot be held to one call at a time")


def _choice(request: CompleteRequest, strict: int | None, translation: Translation) -> Json:
    """The functionCallingConfig; empty where it would say what happens anyway. `strict` is the first tool that is."""
    if strict is None and not request.HasField("tool_choice"):
        return {}
    wanted = request.tool_choice
    mode = _MODES.get(wanted.mode)
    if mode is None:
        raise InvalidRequestError.at_field("tool_choice.mode", "is auto, none, required or validated")
    if strict is not None and mode == _AUTO:
        translation.rewrite(f"tools[{strict}].strict", "calls are held to their schemas all or none", _VALIDATED)
        mode = _VALIDATED
    if wanted.names and mode == _AUTO:
        # https://ai.google.dev/api/caching#FunctionCallingConfig: names stand beside ANY and VALIDATED only.
        translation.rewrite(
            "tool_choice.mode", "names stand beside this mode only; calls keep to their schemas", _VALIDATED
        )
        mode = _VALIDATED
    if wanted.names and mode != _NONE:
        return {"mode": mode, "allowedFunctionNames": list(wanted.names)}
    return {} if mode == _AUTO else {"mode": mode}


def _note_mixture(config: Json, translation: Translation) -> None:
    """The provider's own tools beside functions: https://ai.google.dev/gemini-api/docs/tool-combination."""
    if translation.target.provider.kind.gemini.server_tool_parts and not generation_of(translation.target).is_before_3:
        config["includeServerSideToolInvocations"] = True


def _function(tool: Tool, path: str, translation: Translation) -> Json:
    wire: Json = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    # Embedded byte for byte: the engine has seen that it is JSON. The older `parameters` takes a part of JSON Schema only.
    if tool.parameters:
        wire["parametersJsonSchema"] = orjson.Fragment(tool.parameters)
    if tool.output_schema:
        wire["responseJsonSchema"] = orjson.Fragment(tool.output_schema)
    _finish(wire, tool, path, translation)
    return wire


def _server(tool: Tool, path: str, translation: Translation) -> Json:
    """A tool that the provider runs: its type is the wire's member, such as "googleSearch"."""
    server = tool.server
    if server.dialect not in (DIALECT, translation.target.provider.kind.name):
        raise translation.refusal(f"{path}.server", f"the provider has no tools of {server.dialect}")
    try:
        settings = orjson.loads(server.settings or "{}")
    except orjson.JSONDecodeError:
        settings = None
    if not isinstance(settings, dict):
        raise InvalidRequestError.at_field(f"{path}.server.settings", "is not a JSON object")
    wire = {server.type: settings}
    _finish(wire, tool, path, translation)
    return wire


def _finish(wire: Json, tool: Tool, path: str, translation: Translation) -> None:
    if tool.HasField("cache_ttl_s"):
        translation.drop(f"{path}.cache_ttl_s", "the provider caches by itself, or what `cachedContent` names")
    for name in ("defer_loading", "namespace"):
        if getattr(tool, name):
            translation.drop(f"{path}.{name}", _NO_SUCH_PROPERTY)
    if tool.extensions:
        merge_extensions(wire, tool.extensions, f"{path}.", translation, DIALECT)
