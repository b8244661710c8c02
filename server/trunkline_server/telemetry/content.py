"""Prompts and answers as attributes: the one place where content gets into telemetry, redacted and cut to size.

The form is that of the GenAI conventions:
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from trunkline.v1 import CompleteResponse, Media, Message, Part, Role, Tool
from trunkline_server.telemetry import names
from trunkline_server.values.content import Content
from trunkline_server.values.redaction import hide_secrets

MAX_TEXT_CHARS: Final = 8 * 1024
"""Of one text; the rest is left out."""
MAX_ALL_CHARS: Final = 64 * 1024
"""Of all texts of one attribute together; what comes later is left out, so that cost and size are bounded."""
CUT: Final = "…[cut]"

Json = dict[str, Any]

_ROLES: Final = {
    Role.ROLE_SYSTEM: "system",
    Role.ROLE_DEVELOPER: "developer",
    Role.ROLE_USER: "user",
    Role.ROLE_ASSISTANT: "assistant",
    Role.ROLE_TOOL: "tool",
}
_INSTRUCTIONS: Final = frozenset({Role.ROLE_SYSTEM, Role.ROLE_DEVELOPER})


def content_attributes(content: Content, finish_reasons: Sequence[str]) -> dict[str, str | Sequence[str]]:
    """The attributes that tell what was asked and answered; those that would be empty are left out."""
    request = content.request
    messages = list(request.messages)
    # Instructions that stand in front are attributes of their own; later ones stay in their place.
    first = next((at for at, message in enumerate(messages) if message.role not in _INSTRUCTIONS), len(messages))
    found = {
        names.SYSTEM_INSTRUCTIONS: _Cutter().parts(part for message in messages[:first] for part in message.parts),
        names.INPUT_MESSAGES: _messages(messages[first:]),
        names.OUTPUT_MESSAGES: _choices(content.answer(), finish_reasons),
        names.TOOL_DEFINITIONS: _tools(request.tools),
    }
    attributes: dict[str, str | Sequence[str]] = {
        name: orjson.dumps(value).decode() for name, value in found.items() if value
    }
    if request.stop:
        cutter = _Cutter()
        attributes[names.REQUEST_STOP_SEQUENCES] = tuple(cutter.text(text) for text in request.stop)
    return attributes


class _Cutter:
    """Takes texts until there is no more room."""

    def __init__(self) -> None:
        self._room = MAX_ALL_CHARS

    def text(self, text: str) -> str:
        allowed = min(self._room, MAX_TEXT_CHARS)
        # Cut before it is searched for secrets: a secret that is cut in two is still one where it begins.
        cut = hide_secrets(text[:allowed])
        self._room -= min(len(text), allowed)
        return cut if len(text) <= allowed else cut + CUT

    def parts(self, parts: Iterable[Part]) -> list[Json]:
        return [found for part in parts if (found := self._part(part))]

    def _part(self, part: Part) -> Json | None:
        match part.WhichOneof("content"):
            case "text":
                return {"type": "text", "content": self.text(part.text)}
            case "refusal":
                return {"type": "refusal", "content": self.text(part.refusal)}
            case "reasoning":
                text = part.reasoning.text or "\n\n".join(part.reasoning.summary)
                return {"type": "reasoning", "content": self.text(text)} if text else None
            case "tool_call":
                call = part.tool_call
                return {
                    "type": "tool_call",
                    "id": call.id,
                    "name": call.name,
                    "arguments": self.text(call.arguments),
                }
            case "tool_result":
                result = part.tool_result
                response = self.parts(result.parts)
                return {"type": "tool_call_response", "id": result.call_id, "response": response}
            case "json":
                return {"type": "text", "content": self.text(part.json)}
            case "server_tool_call":
                server = part.server_tool_call
                return {
                    "type": "server_tool_call",
                    "id": server.id,
                    "name": server.name,
                    "server_tool_call": {"type": server.type, "arguments": self.text(server.arguments)},
                }
            case "server_tool_result":
                return {"type": "server_tool_call_response", "id": part.server_tool_result.call_id}
            case "image" | "file" | "audio" | "video" as kind:
                return self._media(kind, getattr(part, kind).media)
            case _:
                return None

    def _media(self, modality: str, media: Media) -> Json:
        """Bytes are never recorded, only how many; of an address no more than where it is."""
        found: Json = {"modality": modality}
        if media.mime_type:
            found["mime_type"] = media.mime_type
        match media.WhichOneof("source"):
            case "url":
                return {"type": "uri", "uri": self.text(media.url.partition("?")[0])} | found
            case "file_id":
                return {"type": "file", "file_id": self.text(media.file_id)} | found
            case _:
                return {"type": "blob", "size": len(media.data)} | found


def _messages(messages: Iterable[Message]) -> list[Json]:
    cutter = _Cutter()
    found = []
    for message in messages:
        row: Json = {"role": _ROLES.get(message.role, "user"), "parts": cutter.parts(message.parts)}
        if message.name:
            row["name"] = cutter.text(message.name)
        found.append(row)
    return found


def _choices(answer: CompleteResponse, finish_reasons: Sequence[str]) -> list[Json]:
    cutter = _Cutter()
    return [
        {
            "role": "assistant",
            "parts": cutter.parts(choice.message.parts),
            # Of an answer that broke off nobody has said why it ended.
            "finish_reason": finish_reasons[at] if at < len(finish_reasons) else names.FINISH_REASON_OF_ABORTED_OUTPUT,
        }
        for at, choice in enumerate(answer.choices)
    ]


def _tools(tools: Iterable[Tool]) -> list[Json]:
    cutter = _Cutter()
    found = []
    for tool in tools:
        row: Json = {
            "type": tool.server.type if tool.HasField("server") else "function",
            "name": cutter.text(tool.name),
        }
        if tool.description:
            row["description"] = cutter.text(tool.description)
        if tool.parameters:
            row["parameters"] = cutter.text(tool.parameters)
        found.append(row)
    return found
