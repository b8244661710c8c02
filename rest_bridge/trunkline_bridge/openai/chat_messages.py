"""OpenAI's chat messages as messages of the contract."""

from collections.abc import Callable, Mapping
from typing import Final

from trunkline.v1 import CompleteRequest, Message, StateKind, ToolKind
from trunkline_bridge.openai.chat_parts import add_content, add_extensions
from trunkline_bridge.openai.chat_words import ROLES
from trunkline_bridge.openai.fields import (
    INT32,
    Json,
    filled_items,
    filled_text,
    flag,
    integer,
    invalid,
    items,
    members,
    missing,
    others,
    required,
    text,
)
from trunkline_bridge.openai.reasoning_details import MEMBER, restore


def add_messages(request: CompleteRequest, value: object, *, most: int) -> None:
    """Adds the conversation, one message for each of OpenAI's, in order."""
    legacy = _LegacyCalls()
    for index, raw in enumerate(filled_items(value, "messages", most)):
        param = f"messages[{index}]"
        found = members(raw, param)
        role = text(required(found, "role", param), f"{param}.role")
        if role not in ROLES:
            raise invalid(f"{param}.role", f"Supported values are: {', '.join(map(repr, ROLES))}.")
        message = request.messages.add()
        message.role = ROLES[role]
        extra = _READERS.get(role, _plain)(message, found, param, legacy)
        add_extensions(message.extensions, extra)


class _LegacyCalls:
    """Gives the calls of the deprecated functions API the ids that it lacks."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}
        self._count = 0

    def begin(self, name: str) -> str:
        self._count += 1
        self._open[name] = f"call_function_{self._count}"
        return self._open[name]

    def end(self, name: str, param: str) -> str:
        if name not in self._open:
            raise invalid(f"{param}.name", "no function of that name was called before and not yet answered.")
        return self._open.pop(name)


def _plain(message: Message, found: Json, param: str, legacy: _LegacyCalls) -> Json:
    """System, developer and user."""
    content = found.get("content")
    if type(content) is str:
        message.parts.add().text = content
    else:
        if content is None:
            raise missing(f"{param}.content")
        add_content(message.parts, content, f"{param}.content")
        if not message.parts:
            raise invalid(f"{param}.content", "it holds no parts.", code="empty_array")
    _name(message, found, param)
    return others(found, _PLAIN) if found.keys() - _PLAIN else {}


def _assistant(message: Message, found: Json, param: str, legacy: _LegacyCalls) -> Json:
    """The order in which models speak: reasoning, text, refusal, sound, calls."""
    extra = others(found, _ASSISTANT) if found.keys() - _ASSISTANT else {}
    _reasoning(message, found, param, extra)
    first = len(message.parts)
    content = found.get("content")
    if content is not None and content != "":  # beside calls, clients send an empty text where none was said
        add_content(message.parts, content, f"{param}.content")
    if annotations := found.get("annotations"):
        _citations(message, first, items(annotations, f"{param}.annotations"), param, extra)
    if (refusal := found.get("refusal")) is not None:
        message.parts.add(refusal=text(refusal, f"{param}.refusal"))
    if (audio := found.get("audio")) is not None:
        audio_id = filled_text(required(members(audio, f"{param}.audio"), "id", f"{param}.audio"), f"{param}.audio.id")
        message.parts.add().audio.id = audio_id
        if transcript := audio.get("transcript"):
            message.parts[-1].audio.transcript = text(transcript, f"{param}.audio.transcript")
    if (calls := found.get("tool_calls")) is not None:
        for index, call in enumerate(items(calls, f"{param}.tool_calls")):
            _tool_call(message, call, f"{param}.tool_calls[{index}]")
    if (call := found.get("function_call")) is not None:
        at = f"{param}.function_call"
        made = message.parts.add().tool_call
        made.name = filled_text(required(members(call, at), "name", at), f"{at}.name")
        made.arguments = text(required(call, "arguments", at), f"{at}.arguments")
        made.id = legacy.begin(made.name)
        made.kind = ToolKind.TOOL_KIND_FUNCTION
    if (details := found.get(MEMBER)) is not None and (others_own := restore(message, details)):
        extra[MEMBER] = others_own if isinstance(details, list) else details
    if not message.parts and not extra:
        if content is None:
            raise missing(f"{param}.content")
        message.parts.add(text="")
    _name(message, found, param)
    return extra


def _reasoning(message: Message, found: Json, param: str, extra: Json) -> None:
    """What DeepSeek, vLLM and others want to see again; they differ in what they call it."""
    said = found.get("reasoning_content")
    other = found.get("reasoning")
    if said is None and isinstance(other, str):
        said = other
    elif other is not None and other != said:
        extra["reasoning"] = other
    if said is None:
        return
    part = message.parts.add()
    part.reasoning.text = text(said, f"{param}.reasoning_content")
    part.state.kind = StateKind.STATE_KIND_PLAIN_TEXT


def _citations(message: Message, first: int, annotations: list[object], param: str, extra: Json) -> None:
    """Sources that an answer named come back with its text; they stand on its first text part."""
    if len(message.parts) == first:
        extra["annotations"] = annotations
        return
    citations = message.parts[first].citations
    for index, raw in enumerate(annotations):
        at = f"{param}.annotations[{index}]"
        found = members(raw, at)
        if found.get("type") != "url_citation":
            extra.setdefault("annotations", []).append(found)
            continue
        at += ".url_citation"
        source = members(required(found, "url_citation", at.removesuffix(".url_citation")), at)
        citation = citations.add(kind="url_citation", url=text(required(source, "url", at), f"{at}.url"))
        if (title := source.get("title")) is not None:
            citation.title = text(title, f"{at}.title")
        if source.get("start_index") is not None and source.get("end_index") is not None:
            citation.start = integer(source["start_index"], f"{at}.start_index", 0, INT32[1])
            citation.end = integer(source["end_index"], f"{at}.end_index", 0, INT32[1])


def _tool_call(message: Message, raw: object, param: str) -> None:
    found = members(raw, param)
    kind = found.get("type") or ("custom" if "custom" in found else "function")
    part = message.parts.add()
    call = part.tool_call
    if kind == "function":
        call.kind, holder, words = ToolKind.TOOL_KIND_FUNCTION, "function", "arguments"
    elif kind == "custom":
        call.kind, holder, words = ToolKind.TOOL_KIND_CUSTOM, "custom", "input"
    else:
        raise invalid(f"{param}.type", "Supported values are: 'function', 'custom'.")
    at = f"{param}.{holder}"
    inner = members(required(found, holder, param), at)
    call.id = filled_text(required(found, "id", param), f"{param}.id")
    call.name = filled_text(required(inner, "name", at), f"{at}.name")
    call.arguments = text(required(inner, words, at), f"{at}.{words}")
    extra = others(found, {"id", "type", holder})
    if unknown := others(inner, {"name", words}):
        extra[holder] = unknown
    add_extensions(part.extensions, extra)


def _tool(message: Message, found: Json, param: str, legacy: _LegacyCalls) -> Json:
    result = message.parts.add().tool_result
    result.call_id = filled_text(required(found, "tool_call_id", param), f"{param}.tool_call_id")
    add_content(result.parts, required(found, "content", param), f"{param}.content")
    if (name := found.get("name")) is not None:
        result.name = text(name, f"{param}.name")
    if (failed := found.get("is_error")) is not None:
        result.is_error = flag(failed, f"{param}.is_error")
    return others(found, _TOOL) if found.keys() - _TOOL else {}


def _function(message: Message, found: Json, param: str, legacy: _LegacyCalls) -> Json:
    """The deprecated form of a tool's result: it answers the last call of that name."""
    result = message.parts.add().tool_result
    result.name = filled_text(required(found, "name", param), f"{param}.name")
    result.call_id = legacy.end(result.name, param)
    result.kind = ToolKind.TOOL_KIND_FUNCTION
    if (content := found.get("content")) is not None:
        result.parts.add(text=text(content, f"{param}.content"))
    return others(found, _PLAIN)


def _name(message: Message, found: Json, param: str) -> None:
    if (name := found.get("name")) is not None:
        message.name = text(name, f"{param}.name")


_PLAIN: Final = frozenset(("role", "content", "name"))
_TOOL: Final = frozenset(("role", "content", "name", "tool_call_id", "is_error"))
_ASSISTANT: Final = frozenset(
    (
        "role",
        "content",
        "name",
        "refusal",
        "audio",
        "annotations",
        "tool_calls",
        "function_call",
        "reasoning_content",
        "reasoning",
        MEMBER,
    )
)
_READERS: Final[Mapping[str, Callable[[Message, Json, str, _LegacyCalls], Json]]] = {
    "assistant": _assistant,
    "tool": _tool,
    "function": _function,
}
