"""Requests to Gemini's generateContent: as requests of the contract, and in one spelling for comparing.

It shares no code with the dialect.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from trunkline.v1 import (
    CompleteRequest,
    FormatKind,
    Media,
    Message,
    Modality,
    Part,
    ReasoningDisplay,
    Role,
    StateKind,
    ToolChoiceMode,
)
from trunkline_server.providers.target import Target

Json = dict[str, Any]

# What stands in these is the caller's own, and is not respelled.
_VERBATIM = frozenset({"args", "response", "parametersJsonSchema", "responseJsonSchema", "responseSchema", "labels"})
_SPELLINGS = {"parameters": "parametersJsonSchema"}
_KINDS = ("image", "audio", "video")
_NUMBERS = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_output_tokens",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "seed": "seed",
    "logprobs": "top_logprobs",
    "responseLogprobs": "logprobs",
}
_WHOLE = frozenset({"topK", "maxOutputTokens", "seed", "logprobs"})
_ROLES = {"user": Role.ROLE_USER, "model": Role.ROLE_ASSISTANT}
_MODES = {
    "AUTO": ToolChoiceMode.TOOL_CHOICE_MODE_AUTO,
    "ANY": ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED,
    "NONE": ToolChoiceMode.TOOL_CHOICE_MODE_NONE,
    "VALIDATED": ToolChoiceMode.TOOL_CHOICE_MODE_VALIDATED,
}
_MODALITIES = {"TEXT": Modality.MODALITY_TEXT, "IMAGE": Modality.MODALITY_IMAGE}
_MADE = "made-"


def spelled(body: Json) -> Json:
    """The body in camelCase and as flat as it means: parts in a row with their roles, nothing that goes without saying."""
    found = _camel(body)
    found["contents"] = [
        [content.get("role", "user"), _plain(part)] for content in found["contents"] for part in content["parts"]
    ]
    if "systemInstruction" in found:
        found["systemInstruction"] = found["systemInstruction"]["parts"]
    if found.get("store") is False:
        del found["store"]
    config = found.get("generationConfig", {})
    if config.get("responseModalities") == ["TEXT"]:
        del config["responseModalities"]
    choice = found.get("toolConfig", {}).get("functionCallingConfig", {})
    if choice == {"mode": "AUTO"}:
        del found["toolConfig"]["functionCallingConfig"]
    tools = _list(found.get("tools"))
    functions = [function for tool in tools for function in _functions(tool)]
    found["tools"] = [
        *sorted((tool for tool in tools if "functionDeclarations" not in tool), key=json.dumps),
        *functions,
    ]
    return {name: value for name, value in found.items() if value not in ({}, [], None)}


def read(body: Json, target: Target) -> CompleteRequest:
    """The request of the contract that asks the same."""
    found = _camel(body)
    request = CompleteRequest(model=target.model)
    for part in (found.get("systemInstruction") or {}).get("parts", ()):
        request.messages.add(role=Role.ROLE_SYSTEM).parts.add(text=part["text"])
    waiting: list[tuple[str, str]] = []
    for content in found["contents"]:
        for part in content["parts"]:
            _add_part(request, content.get("role", "user"), part, waiting, target)
    rest: Json = {name: found[name] for name in ("safetySettings", "modelArmorConfig") if name in found}
    config = dict(found.get("generationConfig") or {})
    _configure(request, config)
    if config:
        rest["generationConfig"] = config
    for tool in _list(found.get("tools")):
        _add_tool(request, tool)
    tool_config = dict(found.get("toolConfig") or {})
    if choice := tool_config.pop("functionCallingConfig", None):
        request.tool_choice.mode = _MODES[choice["mode"]]
        request.tool_choice.names.extend(choice.get("allowedFunctionNames", ()))
    if tool_config:
        rest["toolConfig"] = tool_config
    request.metadata.update(found.get("labels") or {})
    if rest:
        request.extensions["gemini"] = json.dumps(rest)
    return request


def _camel(value: Any) -> Any:  # noqa: ANN401 it is any JSON
    if isinstance(value, list):
        return [_camel(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    found: Json = {}
    for name, inner in value.items():
        camel = re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
        camel = _SPELLINGS.get(camel, camel)
        found[camel] = inner if camel in _VERBATIM else _camel(inner)
    return found


def _plain(part: Json) -> Json:
    """Without ids that were made, and with signatures and bytes as such."""
    found = dict(part)
    if "thoughtSignature" in found:
        found["thoughtSignature"] = _bytes(found["thoughtSignature"])
    for kind in ("functionCall", "functionResponse"):
        if kind in found:
            found[kind] = {name: value for name, value in found[kind].items() if value != {} or name != "args"}
            if found[kind].get("id", "").startswith(_MADE):
                del found[kind]["id"]
            if "parts" in found[kind]:
                found[kind]["parts"] = list(map(_plain, found[kind]["parts"]))
    if "inlineData" in found:
        found["inlineData"] = {**found["inlineData"], "data": _bytes(found["inlineData"]["data"])}
    return found


def _list(value: list[Json] | Json | None) -> list[Json]:
    """Google takes one for a list of one."""
    return value if isinstance(value, list) else [value] if value else []


def _functions(tool: Json) -> list[Json]:
    """An empty description says nothing."""
    return [
        {name: value for name, value in function.items() if name != "description" or value}
        for function in _list(tool.get("functionDeclarations"))
    ]


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.translate(str.maketrans("+/", "-_")) + "==")


def _add_part(request: CompleteRequest, role: str, raw: Json, waiting: list[tuple[str, str]], target: Target) -> None:
    """`waiting` are ids and names of calls without results so far."""
    wanted = _ROLES.get(role, Role.ROLE_UNSPECIFIED)
    if "functionResponse" in raw:
        wanted = Role.ROLE_TOOL
    last: Message | None = request.messages[-1] if request.messages else None
    message = last if last is not None and last.role == wanted else request.messages.add(role=wanted)
    part = message.parts.add()
    match raw:
        case {"text": text, "thought": True}:
            part.reasoning.text = text
            part.state.kind = StateKind.STATE_KIND_GEMINI_THOUGHT_SIGNATURE
        case {"text": text}:
            part.text = text
        case {"inlineData": _} | {"fileData": _}:
            _fill_media(part, raw)
        case {"functionCall": call}:
            made = f"{_MADE}{sum(len(message.parts) for message in request.messages)}"
            part.tool_call.id = call.get("id") or made
            part.tool_call.name = call["name"]
            part.tool_call.arguments = json.dumps(call.get("args") or {})
            waiting.append((part.tool_call.id, call["name"]))
        case {"functionResponse": result}:
            call_id = result.get("id") or next(id_ for id_, name in waiting if name == result["name"])
            waiting[:] = [entry for entry in waiting if entry[0] != call_id]
            part.tool_result.call_id, part.tool_result.name = call_id, result["name"]
            part.tool_result.parts.add(json=json.dumps(result["response"]))
            for media in result.get("parts", ()):
                _fill_media(part.tool_result.parts.add(), media)
        case _:
            native = {name: value for name, value in raw.items() if name != "thoughtSignature"}
            part.opaque.dialect, part.opaque.native = "gemini", json.dumps(native)
    if "thoughtSignature" in raw:
        part.state.kind = StateKind.STATE_KIND_GEMINI_THOUGHT_SIGNATURE
        part.state.data = _bytes(raw["thoughtSignature"])
    if part.HasField("state"):
        part.state.provider, part.state.model = target.provider.name, target.model
    if metadata := raw.get("videoMetadata"):
        part.extensions["gemini"] = json.dumps({"videoMetadata": metadata})


def _fill_media(part: Part, raw: Json) -> None:
    [held] = [raw[name] for name in ("inlineData", "fileData") if name in raw]
    kind = held.get("mimeType", "").partition("/")[0]
    media: Media = getattr(part, kind if kind in _KINDS else "file").media
    media.mime_type = held.get("mimeType", "")
    media.file_name = held.get("displayName", "")
    if "data" in held:
        media.data = _bytes(held["data"])
    else:
        media.url = held["fileUri"]


def _configure(request: CompleteRequest, config: Json) -> None:
    """Takes out of the generationConfig what the contract has a field for."""
    for name, field in _NUMBERS.items():
        if name in config:
            value = config.pop(name)
            setattr(request, field, int(value) if name in _WHOLE else value)
    request.stop.extend(config.pop("stopSequences", ()))
    request.output_modalities.extend(_MODALITIES[name] for name in config.pop("responseModalities", ()))
    if config.get("responseMimeType") == "application/json":
        del config["responseMimeType"]
        request.response_format.kind = FormatKind.FORMAT_KIND_JSON_OBJECT
        if "responseJsonSchema" in config:
            request.response_format.kind = FormatKind.FORMAT_KIND_JSON_SCHEMA
            request.response_format.schema = json.dumps(config.pop("responseJsonSchema"))
    thinking = config.pop("thinkingConfig", {})
    if "includeThoughts" in thinking:
        shown = ReasoningDisplay.REASONING_DISPLAY_AUTO
        hidden = ReasoningDisplay.REASONING_DISPLAY_HIDDEN
        request.reasoning.display = shown if thinking["includeThoughts"] else hidden
    if "thinkingLevel" in thinking:
        request.reasoning.native_effort = thinking["thinkingLevel"]
    if "thinkingBudget" in thinking:
        request.reasoning.budget_tokens = thinking["thinkingBudget"]


def _add_tool(request: CompleteRequest, tool: Json) -> None:
    for function in _functions(tool):
        schema = json.dumps(function["parametersJsonSchema"]) if "parametersJsonSchema" in function else ""
        request.tools.add(name=function["name"], description=function.get("description", ""), parameters=schema)
    for name, settings in _server_tools(tool):
        server = request.tools.add().server
        server.dialect, server.type, server.settings = "gemini", name, json.dumps(settings)


def _server_tools(tool: Json) -> Iterator[tuple[str, object]]:
    for name, settings in tool.items():
        if name != "functionDeclarations":
            yield name, settings
