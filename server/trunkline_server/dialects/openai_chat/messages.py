"""The conversation as messages of the chat completions wire."""

from collections.abc import Mapping, Sequence
from typing import Final

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Message, Part, Role, ToolKind
from trunkline_server.dialects.fields_set import is_plain, only_text
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_chat.call_ids import call_id
from trunkline_server.dialects.openai_chat.earlier_reasoning import SAID, EarlierReasoning
from trunkline_server.dialects.openai_chat.extensions import merge_extensions
from trunkline_server.dialects.openai_chat.names import DIALECT
from trunkline_server.dialects.openai_chat.parts import (
    add_breakpoint,
    encode_content,
    encode_part,
    note_unsaid,
)
from trunkline_server.dialects.openai_chat.reasoning_details import MEMBER as DETAILS
from trunkline_server.dialects.translation import FOREIGN, Translation

_ROLES: Final = {
    Role.ROLE_SYSTEM: "system",
    Role.ROLE_DEVELOPER: "developer",
    Role.ROLE_USER: "user",
}

# Where the parts of an assistant message stand on this wire, whatever their order was.
_PLACES: Final[Mapping[str | None, int]] = {"tool_call": 2}


def encode_messages(messages: Sequence[Message], translation: Translation) -> list[Json]:
    """All messages in order; one of role tool becomes as many as it has results."""
    found: list[Json] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        match message.role:
            case Role.ROLE_ASSISTANT:
                found.append(_assistant(message, path, translation))
            case Role.ROLE_TOOL:
                found.extend(_results(message, path, translation))
            case _:
                found.append(_prompt(message, path, translation))
    return found


def _prompt(message: Message, path: str, translation: Translation) -> Json:
    role = _ROLES.get(message.role, "")
    if not role:
        raise InvalidRequestError.at_field(f"{path}.role", "is one of system, developer, user, assistant, tool")
    if role == "developer" and not translation.target.provider.kind.chat.developer_role:
        role = "system"
        translation.rewrite(f"{path}.role", "the provider does not know the role developer", role)
    wire: Json
    if (text := only_text(message.parts)) is not None:
        wire = {"role": role, "content": text}
    else:
        wire = {"role": role, "content": encode_content(_encode_parts(message.parts, path, translation))}
    return _finish(wire, message, path, translation)


def _assistant(message: Message, path: str, translation: Translation) -> Json:
    if (text := only_text(message.parts)) is not None:
        return _finish({"role": "assistant", "content": text}, message, path, translation)
    quirks = translation.target.provider.kind.chat
    content: list[Json] = []
    calls: list[Json] = []
    reasoning = EarlierReasoning(translation)
    refusals: list[str] = []
    audio_id = ""
    places: list[int] = []
    for index, part in enumerate(message.parts):
        at = f"{path}.parts[{index}]"
        kind = part.WhichOneof("content")
        if kind == "tool_call":
            calls.append(_call(part, at, translation))
        elif kind == "reasoning":
            if not reasoning.take(part, at, content):
                continue
        elif kind == "refusal" and quirks.refusal:
            note_unsaid(part, at, translation)
            refusals.append(part.refusal)
        elif kind == "audio" and not audio_id and part.audio.id and "audio" in quirks.members:
            audio_id = part.audio.id
        elif kind == "audio" and part.audio.transcript:
            translation.emulate(f"{at}.audio", "spoken words are sent back as text", "text")
            content.append({"type": "text", "text": part.audio.transcript})
        elif (wire_part := encode_part(part, at, translation)) is not None:
            content.append(wire_part)
        else:
            continue
        places.append(reasoning.place if kind == "reasoning" else _PLACES.get(kind, SAID))
    if places != sorted(places):
        translation.rewrite(f"{path}.parts", "this API has one order: reasoning, what is said, calls")
    wire: Json = {"role": "assistant", "content": encode_content(content) if content else None}
    if refusals:
        wire["refusal"] = "".join(refusals)
    reasoning.put(wire, path, calls=bool(calls))
    if calls:
        wire["tool_calls"] = calls
    if audio_id:
        wire["audio"] = {"id": audio_id}
    if len(wire) == len(("role", "content")) and not content:
        wire["content"] = ""  # null is for messages that hold something else
    return _finish(wire, message, path, translation)


def _results(message: Message, path: str, translation: Translation) -> list[Json]:
    found = []
    for index, part in enumerate(message.parts):
        at = f"{path}.parts[{index}]"
        if not part.HasField("tool_result"):
            raise InvalidRequestError.at_field(at, "a message of role tool holds tool_result parts only")
        result = part.tool_result
        content: list[Json] = []
        for inner_index, inner in enumerate(result.parts):
            inner_at = f"{at}.tool_result.parts[{inner_index}]"
            if inner.HasField("json"):
                # The text of a JSON value is what a tool message holds: nothing is rewritten.
                content.append({"type": "text", "text": inner.json})
            elif (wire_part := encode_part(inner, inner_at, translation)) is None:
                continue
            elif wire_part["type"] != "text":
                raise translation.refusal(inner_at, "results of tools are sent by this API as text only")
            else:
                content.append(wire_part)
        if result.is_error:
            translation.drop(f"{at}.tool_result.is_error", "this API does not tell failed results from others")
        if part.HasField("cache_ttl_s"):
            if content:
                add_breakpoint(content[-1], part.cache_ttl_s, at, translation)
            else:
                translation.drop(f"{at}.cache_ttl_s", "an empty result cannot carry a breakpoint")
        wire: Json = {
            "role": "tool",
            "tool_call_id": call_id(result.call_id, f"{at}.tool_result.call_id", translation),
            "content": encode_content(content) if content else "",
        }
        if part.extensions:
            merge_extensions(wire, part.extensions, f"{at}.", translation)
        found.append(_finish(wire, message, path, translation))
    return found


def _encode_parts(parts: Sequence[Part], path: str, translation: Translation) -> list[Json]:
    encoded = (encode_part(part, f"{path}.parts[{index}]", translation) for index, part in enumerate(parts))
    return [wire for wire in encoded if wire is not None]


def _call(part: Part, path: str, translation: Translation) -> Json:
    call = part.tool_call
    wire_id = call_id(call.id, f"{path}.tool_call.id", translation)
    if call.kind == ToolKind.TOOL_KIND_CUSTOM:
        if not translation.target.provider.kind.chat.custom_tools:
            raise translation.refusal(f"{path}.tool_call.kind", "the provider knows no custom tools")
        wire: Json = {"id": wire_id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    else:
        function = {"name": call.name, "arguments": call.arguments or "{}"}
        wire = {"id": wire_id, "type": "function", "function": function}
    if call.namespace:
        translation.drop(f"{path}.tool_call.namespace", "this API has no groups of tools")
    if is_plain(part):
        return wire
    note_unsaid(part, path, translation)
    if part.HasField("cache_ttl_s"):
        translation.drop(f"{path}.cache_ttl_s", "a call cannot carry a breakpoint in this API")
    if part.extensions:
        merge_extensions(wire, part.extensions, f"{path}.", translation)
    return wire


def _finish(wire: Json, message: Message, path: str, translation: Translation) -> Json:
    if message.name:
        wire["name"] = message.name
    if message.extensions:
        merge_extensions(wire, message.extensions, f"{path}.", translation)
        if DETAILS in wire:
            _drop_foreign_details(wire, path, translation)
    return wire


def _drop_foreign_details(wire: Json, path: str, translation: Translation) -> None:
    """Clients of chat send what came from one vendor to whoever is next, and vendors that do not know it refuse it."""
    kind = translation.target.provider.kind
    if kind.base_url and not kind.local and not kind.chat.reasoning_details:
        del wire[DETAILS]
        translation.drop(f"{path}.extensions[{DIALECT}].{DETAILS}", FOREIGN)
