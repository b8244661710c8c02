"""A request body of the Responses API as the contract says it, and what two bodies mean; without the gateway's code.

What the contract has no field for goes by `extensions`, and items that only the API understands by opaque parts.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from trunkline.v1 import (
    CompleteRequest,
    FormatKind,
    ImageDetail,
    Media,
    Message,
    Part,
    Phase,
    PromptCacheMode,
    ReasoningContext,
    ReasoningDisplay,
    ReasoningEffort,
    Role,
    StateKind,
    ToolChoiceMode,
    ToolKind,
    Verbosity,
)

Json = dict[str, Any]

DIALECT = "openai_responses"
ROLES = {
    "system": Role.ROLE_SYSTEM,
    "developer": Role.ROLE_DEVELOPER,
    "user": Role.ROLE_USER,
    "assistant": Role.ROLE_ASSISTANT,
}
PHASES = {"commentary": Phase.PHASE_COMMENTARY, "final_answer": Phase.PHASE_FINAL_ANSWER}
TTLS = {"30m": 1800, "12h": 43200}
PROMPT_CACHE_MODES = {"implicit": "PROMPT_CACHE_MODE_AUTOMATIC", "explicit": "PROMPT_CACHE_MODE_EXPLICIT"}
NUMBERS = ("temperature", "top_p", "max_output_tokens", "parallel_tool_calls", "top_logprobs", "store")
TYPED = frozenset(
    {
        *NUMBERS,
        "include",
        "input",
        "instructions",
        "metadata",
        "model",
        "prompt_cache_key",
        "prompt_cache_options",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "stream",
        "text",
        "tool_choice",
        "tools",
    }
)
UNSENT = frozenset({"background", "_omitted"})
"""What the gateway refuses, and what the recording left out."""


def read_request(body: Json) -> CompleteRequest:
    """The contract's form of a body."""
    request = CompleteRequest(model=body["model"])
    if body.get("instructions"):
        request.messages.add(role=Role.ROLE_SYSTEM).parts.add(text=body["instructions"])
    items = body["input"]
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        _add_item(request, item)
    for tool in body.get("tools") or ():
        _add_tool(request, tool)
    for name in NUMBERS:
        if body.get(name) is not None:
            setattr(request, name, body[name])
    if not request.HasField("store"):
        request.store = True  # which is what the API does unasked
    _read_choice(request, body.get("tool_choice"))
    _read_settings(request, body)
    others: Json = {name: body[name] for name in body.keys() - TYPED - UNSENT if body[name] is not None}
    include = [one for one in body.get("include") or () if one != "message.output_text.logprobs"]
    if include:
        others["include"] = include
    if other_reasoning := _other_reasoning(body):
        others["reasoning"] = other_reasoning
    if others:
        request.extensions[DIALECT] = json.dumps(others)
    return request


def meaning(body: Json) -> Json:
    """What a body asks for, however it is said: two that ask the same are equal."""
    items = body["input"]
    items = [{"role": "user", "content": items}] if isinstance(items, str) else items
    if body.get("instructions"):
        items = [{"role": "system", "content": body["instructions"]}, *items]
    found: Json = {
        name: value
        for name, value in body.items()
        if name not in ("input", "instructions", "stream", "include")
        and name not in UNSENT
        and value not in (None, [], {})
    }
    found["input"] = [thing for item in items for thing in _meanings(item)]
    found["tools"] = [_plain(tool) for tool in body.get("tools") or ()]
    found.setdefault("store", True)
    if found.get("tool_choice") == "auto" and not found["tools"]:
        del found["tool_choice"]
    if (text := found.get("text")) and text.get("format") == {"type": "text"}:
        found["text"] = {name: value for name, value in text.items() if name != "format"}
    found["reasoning"] = _plain(body.get("reasoning") or {})
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _meanings(item: Json) -> Iterator[object]:
    match item.get("type", "message"):
        case "message":
            content = item["content"]
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                if item["role"] != "assistant" or part.get("text") != "":  # an answer without a word says nothing
                    yield (item["role"], item.get("phase"), json.dumps(_content(part), sort_keys=True))
        case "function_call" | "custom_tool_call" | "reasoning" as kind:
            said = {name: value for name, value in item.items() if name not in ("id", "status") and value}
            yield json.dumps(({"arguments": "{}"} if kind == "function_call" else {}) | said, sort_keys=True)
        case "function_call_output" | "custom_tool_call_output" as kind:
            output = item["output"]
            parts = [{"type": "text", "text": output}] if isinstance(output, str) else output
            yield (kind, item["call_id"], json.dumps([_content(part) for part in parts], sort_keys=True))
        case _:
            yield json.dumps(item, sort_keys=True)


def _content(part: Json) -> Json:
    if "text" in part:
        mark = part.get("prompt_cache_breakpoint")
        return {"text": part["text"]} | ({"mark": mark} if mark else {})
    return {
        name: value for name, value in part.items() if not (name == "detail" and value == "auto") and value is not None
    }


def _plain(value: Json) -> Json:
    defaults: Mapping[str, object] = {"strict": False}
    return {name: inner for name, inner in value.items() if inner not in (None, "") and defaults.get(name) != inner}


def _add_item(request: CompleteRequest, item: Json) -> None:
    match item.get("type", "message"):
        case "message":
            message = _message(request, ROLES[item["role"]])
            content = item["content"]
            for raw in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                part = message.parts.add()
                _fill(part, raw)
                part.phase = PHASES.get(item.get("phase") or "", Phase.PHASE_UNSPECIFIED)
                if message.role == Role.ROLE_ASSISTANT and item.get("id"):
                    part.state.id = item["id"]
        case "function_call" | "custom_tool_call" as kind:
            part = _message(request, Role.ROLE_ASSISTANT).parts.add()
            call, is_custom = part.tool_call, kind == "custom_tool_call"
            call.id, call.name, call.namespace = item["call_id"], item["name"], item.get("namespace") or ""
            call.arguments = item["input" if is_custom else "arguments"]
            call.kind = ToolKind.TOOL_KIND_CUSTOM if is_custom else ToolKind.TOOL_KIND_FUNCTION
            if item.get("id"):
                part.state.id = item["id"]
        case "reasoning":
            part = _message(request, Role.ROLE_ASSISTANT).parts.add()
            part.reasoning.summary.extend(entry["text"] for entry in item["summary"])
            part.reasoning.text = "".join(entry["text"] for entry in item.get("content") or ())
            part.state.id = item["id"]
            if item.get("encrypted_content"):
                part.state.kind, part.state.data = (
                    StateKind.STATE_KIND_OPENAI_ENCRYPTED,
                    item["encrypted_content"].encode(),
                )
        case "function_call_output" | "custom_tool_call_output":
            result = _message(request, Role.ROLE_TOOL).parts.add().tool_result
            result.call_id = item["call_id"]
            output = item["output"]
            for raw in [{"type": "text", "text": output}] if isinstance(output, str) else output:
                _fill(result.parts.add(), raw)
        case kind:
            last = request.messages[-1] if request.messages else None
            message = last if last and last.role != Role.ROLE_TOOL else request.messages.add(role=Role.ROLE_USER)
            opaque = message.parts.add().opaque
            opaque.dialect, opaque.type, opaque.native = DIALECT, kind, json.dumps(item)


def _message(request: CompleteRequest, role: "Role.ValueType") -> Message:
    """The message that an item goes into: the last one of the assistant or of a tool, else a new one."""
    last = request.messages[-1] if request.messages else None
    if last is not None and last.role == role and role in (Role.ROLE_ASSISTANT, Role.ROLE_TOOL):
        return last
    return request.messages.add(role=role)


def _fill(part: Part, raw: Json) -> None:
    if mark := raw.get("prompt_cache_breakpoint"):
        part.cache_ttl_s = TTLS.get(mark.get("ttl") or "", 0)
    match raw["type"]:
        case "input_image":
            _fill_media(part.image.media, raw, "image_url")
            part.image.detail = ImageDetail.Value(f"IMAGE_DETAIL_{(raw.get('detail') or 'auto').upper()}")
        case "input_file":
            part.file.media.file_name = raw.get("filename") or ""
            _fill_media(part.file.media, raw, "file_data" if raw.get("file_data") else "file_url")
        case "refusal":
            part.refusal = raw["refusal"]
        case _:
            part.text = raw["text"]


def _fill_media(media: Media, raw: Json, member: str) -> None:
    if raw.get("file_id"):
        media.file_id = raw["file_id"]
    else:
        media.url = raw[member]


def _add_tool(request: CompleteRequest, raw: Json) -> None:
    tool = request.tools.add()
    if raw["type"] != "function":
        tool.server.dialect, tool.server.type = DIALECT, raw["type"]
        tool.server.settings = json.dumps({name: value for name, value in raw.items() if name != "type"})
        return
    tool.name, tool.description = raw["name"], raw.get("description") or ""
    tool.parameters = json.dumps(raw["parameters"])
    tool.defer_loading = raw.get("defer_loading") or False
    if raw.get("strict") is not None:
        tool.strict = raw["strict"]


def _read_choice(request: CompleteRequest, choice: str | Json | None) -> None:
    words = {
        "auto": ToolChoiceMode.TOOL_CHOICE_MODE_AUTO,
        "none": ToolChoiceMode.TOOL_CHOICE_MODE_NONE,
        "required": ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED,
    }
    if isinstance(choice, str):
        request.tool_choice.mode = words[choice]
    elif choice:
        request.tool_choice.mode = ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED
        request.tool_choice.names.append(choice["name"])


def _read_settings(request: CompleteRequest, body: Json) -> None:
    reasoning = body.get("reasoning") or {}
    if effort := reasoning.get("effort"):
        request.reasoning.effort = ReasoningEffort.Value(f"REASONING_EFFORT_{effort.upper()}")
    if summary := reasoning.get("summary"):
        request.reasoning.display = ReasoningDisplay.Value(f"REASONING_DISPLAY_{summary.upper()}")
    if context := reasoning.get("context"):
        request.reasoning.context = ReasoningContext.Value(f"REASONING_CONTEXT_{context.upper()}")
    text = body.get("text") or {}
    if verbosity := text.get("verbosity"):
        request.verbosity = Verbosity.Value(f"VERBOSITY_{verbosity.upper()}")
    form = text.get("format") or {}
    if form.get("type") == "json_schema":
        wanted = request.response_format
        wanted.kind, wanted.name, wanted.schema = (
            FormatKind.FORMAT_KIND_JSON_SCHEMA,
            form["name"],
            json.dumps(form["schema"]),
        )
        wanted.description = form.get("description") or ""
        if form.get("strict") is not None:
            wanted.strict = form["strict"]
    elif form.get("type") == "json_object":
        request.response_format.kind = FormatKind.FORMAT_KIND_JSON_OBJECT
    request.logprobs = "message.output_text.logprobs" in (body.get("include") or ())
    request.service_tier = body.get("service_tier") or ""
    request.end_user = body.get("safety_identifier") or ""
    request.metadata.update(body.get("metadata") or {})
    if body.get("prompt_cache_key"):
        request.prompt_cache.key = body["prompt_cache_key"]
    options = body.get("prompt_cache_options") or {}
    if mode := options.get("mode"):
        request.prompt_cache.mode = PromptCacheMode.Value(PROMPT_CACHE_MODES[mode])
    if ttl := options.get("ttl"):
        request.prompt_cache.ttl_s = TTLS[ttl]


def _other_reasoning(body: Json) -> Json:
    known = ("effort", "summary", "context")
    return {name: value for name, value in (body.get("reasoning") or {}).items() if name not in known and value}
