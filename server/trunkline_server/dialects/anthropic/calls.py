"""Tool calls and their results as blocks of Claude's wire."""

from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Part, ToolKind
from trunkline_server.dialects.anthropic.blocks import encode_block, finish_block
from trunkline_server.dialects.anthropic.cache_marks import CacheMarks
from trunkline_server.dialects.anthropic.call_ids import call_id
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import Json, read_object
from trunkline_server.dialects.translation import Translation

# https://platform.claude.com/docs/en/api/messages/create: what a result may consist of.
_RESULT_BLOCKS: Final = frozenset(
    {"text", "image", "document", "search_result", "tool_reference", "browser_state"},
)
_TEXT: Final = "text"


def encode_call(part: Part, path: str, translation: Translation, marks: CacheMarks) -> Json:
    """A call of the model."""
    call = part.tool_call
    if call.kind == ToolKind.TOOL_KIND_CUSTOM:
        raise translation.refusal(f"{path}.tool_call.kind", "the provider knows no custom tools")
    if call.namespace:
        translation.drop(f"{path}.tool_call.namespace", "this API has no groups of tools")
    wire: Json = {
        "type": "tool_use",
        "id": call_id(call.id, f"{path}.tool_call.id", translation),
        "name": call.name,
        "input": _arguments(call.arguments, f"{path}.tool_call.arguments"),
    }
    return finish_block(wire, part, path, translation, marks)


def encode_result(part: Part, path: str, translation: Translation, marks: CacheMarks) -> tuple[Json, list[Json]]:
    """A result, and what belongs to it but may not stand within it."""
    result = part.tool_result
    field = f"{path}.tool_result"
    wire: Json = {"type": "tool_result", "tool_use_id": call_id(result.call_id, f"{field}.call_id", translation)}
    content: list[Json] = []
    beside: list[Json] = []
    for index, inner in enumerate(result.parts):
        at = f"{field}.parts[{index}]"
        if inner.HasField("json"):
            if inner.json.strip():
                block: Json | None = finish_block({"type": _TEXT, "text": inner.json}, inner, at, translation, marks)
            else:
                block = None
        else:
            block = encode_block(inner, at, translation, marks)
        if block is None:
            continue
        if block["type"] not in _RESULT_BLOCKS:
            raise translation.refusal(at, "a result consists of text, JSON, pictures and documents")
        if result.is_error and block["type"] != _TEXT:
            translation.emulate(at, "why a tool failed is told by text: what else there is stands after the results")
            beside.append(block)
        else:
            content.append(block)
    if content:
        wire["content"] = content
    if result.is_error:
        wire["is_error"] = True
    return finish_block(wire, part, path, translation, marks), beside


def _arguments(text: str, field: str) -> orjson.Fragment | Json:
    """The arguments byte for byte, once they are found to be an object."""
    if not text.strip():
        return {}
    try:
        read_object(text.encode())
    except MalformedFrameError as error:
        raise InvalidRequestError.at_field(field, f"are no arguments that this API takes: {error}") from error
    return orjson.Fragment(text)
