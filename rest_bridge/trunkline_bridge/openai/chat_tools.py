"""OpenAI's tools and tool choices, the deprecated functions among them, as the contract has them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from trunkline.v1 import CompleteRequest, Tool, ToolChoiceMode
from trunkline_bridge.json_text import compact
from trunkline_bridge.openai.chat_parts import add_extensions, cache_ttl_s
from trunkline_bridge.openai.chat_words import ALLOWED_MODES, CHOICE_MODES, DIALECT
from trunkline_bridge.openai.fields import (
    Json,
    filled_text,
    flag,
    invalid,
    items,
    members,
    others,
    required,
    text,
    word,
    wrong_type,
)


def add_tools(request: CompleteRequest, value: object) -> None:
    """Adds `tools`: functions, custom tools, and those that a provider of this dialect runs itself."""
    for index, raw in enumerate(items(value, "tools")):
        param = f"tools[{index}]"
        found = members(raw, param)
        kind = _kind(found, param)
        tool = request.tools.add()
        if (breakpoint_ := found.get("prompt_cache_breakpoint")) is not None:
            tool.cache_ttl_s = cache_ttl_s(breakpoint_, f"{param}.prompt_cache_breakpoint")
        if (read := _KINDS.get(kind)) is None:
            _server(tool, found, kind, param)
            continue
        inner = members(required(found, kind, param), f"{param}.{kind}")
        unknown = read(tool, inner, f"{param}.{kind}")
        extra = others(found, {"type", kind, "prompt_cache_breakpoint"})
        if unknown:
            extra[kind] = unknown
        add_extensions(tool.extensions, extra)


def set_tool_choice(request: CompleteRequest, value: object) -> None:
    """Sets what `tool_choice` says in any of its forms."""
    choice = request.tool_choice
    if isinstance(value, str):
        choice.mode = word(_MISTRAL_CHOICES.get(value, value), "tool_choice", CHOICE_MODES)
        return
    if not isinstance(value, dict):
        raise wrong_type("tool_choice", "one of a string or an object", value)
    kind = text(required(value, "type", "tool_choice"), "tool_choice.type")
    if kind in _KINDS:
        choice.mode = ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED
        choice.names.append(_named(value, kind, "tool_choice"))
    elif kind == "allowed_tools":
        param = "tool_choice.allowed_tools"
        allowed = members(required(value, kind, "tool_choice"), param)
        choice.mode = word(required(allowed, "mode", param), f"{param}.mode", ALLOWED_MODES)
        for index, raw in enumerate(items(required(allowed, "tools", param), f"{param}.tools")):
            choice.names.append(_allowed(raw, f"{param}.tools[{index}]"))
    else:
        raise invalid("tool_choice.type", "Supported values are: 'function', 'custom', 'allowed_tools'.")


def add_functions(request: CompleteRequest, value: object) -> None:
    """Adds the deprecated `functions`. Their answers have room for one call."""
    for index, raw in enumerate(items(value, "functions")):
        param = f"functions[{index}]"
        tool = request.tools.add()
        add_extensions(tool.extensions, _function(tool, members(raw, param), param))
    if not request.HasField("parallel_tool_calls"):
        request.parallel_tool_calls = False


def set_function_call(request: CompleteRequest, value: object) -> None:
    """Sets what the deprecated `function_call` says."""
    choice = request.tool_choice
    if isinstance(value, str):
        choice.mode = word(value, "function_call", _FUNCTION_CALLS)
        return
    if not isinstance(value, dict):
        raise wrong_type("function_call", "one of a string or an object", value)
    choice.mode = ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED
    choice.names.append(filled_text(required(value, "name", "function_call"), "function_call.name"))


def _kind(found: Json, param: str) -> str:
    """What sort of tool it is. Mistral's client says so only of others than functions."""
    if found.get("type") is None and found.get("function") is not None:
        return "function"
    return filled_text(required(found, "type", param), f"{param}.type")


def _function(tool: Tool, found: Json, param: str) -> Json:
    tool.name = filled_text(required(found, "name", param), f"{param}.name")
    if (description := found.get("description")) is not None:
        tool.description = text(description, f"{param}.description")
    if (parameters := found.get("parameters")) is not None:
        tool.parameters = compact(members(parameters, f"{param}.parameters"))
    if (strict := found.get("strict")) is not None:
        tool.strict = flag(strict, f"{param}.strict")
    return others(found, _FUNCTION) if found.keys() - _FUNCTION else {}


def _custom(tool: Tool, found: Json, param: str) -> Json:
    tool.name = filled_text(required(found, "name", param), f"{param}.name")
    tool.custom.SetInParent()
    if (description := found.get("description")) is not None:
        tool.description = text(description, f"{param}.description")
    if (format_ := found.get("format")) is not None:
        param += ".format"
        kind = text(required(members(format_, param), "type", param), f"{param}.type")
        if kind == "grammar":
            grammar = members(required(format_, "grammar", param), f"{param}.grammar")
            param += ".grammar"
            tool.custom.syntax = word(required(grammar, "syntax", param), f"{param}.syntax", _SYNTAXES)
            tool.custom.grammar = filled_text(required(grammar, "definition", param), f"{param}.definition")
        elif kind != "text":
            raise invalid(f"{param}.type", "Supported values are: 'text', 'grammar'.")
    return others(found, {"name", "description", "format"})


def _server(tool: Tool, found: Json, kind: str, param: str) -> None:
    """A tool of some vendor of this dialect: typed by its vendor, its settings kept as they are."""
    tool.server.dialect = DIALECT
    tool.server.type = kind
    if (name := found.get("name")) is not None:
        tool.name = text(name, f"{param}.name")
    if settings := others(found, {"type", "name", "prompt_cache_breakpoint"}):
        tool.server.settings = compact(settings)


def _allowed(raw: object, param: str) -> str:
    found = members(raw, param)
    kind = text(required(found, "type", param), f"{param}.type")
    return _named(found, kind, param) if kind in _KINDS else kind


def _named(found: Mapping[str, Any], kind: str, param: str) -> str:
    inner = members(required(found, kind, param), f"{param}.{kind}")
    return filled_text(required(inner, "name", f"{param}.{kind}"), f"{param}.{kind}.name")


_MISTRAL_CHOICES: Final = {"any": "required"}
_FUNCTION: Final = frozenset(("name", "description", "parameters", "strict"))
_SYNTAXES: Final = {"lark": "lark", "regex": "regex"}
_FUNCTION_CALLS: Final = {
    "none": ToolChoiceMode.TOOL_CHOICE_MODE_NONE,
    "auto": ToolChoiceMode.TOOL_CHOICE_MODE_AUTO,
}
_KINDS: Final[Mapping[str, Callable[[Tool, Json, str], Json]]] = {"function": _function, "custom": _custom}
