"""Tool calls and their results as parts of Gemini's wire."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Message, Part, ToolKind, ToolResult
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.gemini.generation import generation_of
from trunkline_server.dialects.gemini.parts import encode_part, finish_part
from trunkline_server.dialects.json_values import Json, read_object
from trunkline_server.dialects.translation import Translation

Names = Mapping[str, str]
"""The tools' names by the ids of their calls."""

# https://ai.google.dev/api/caching#FunctionResponse
_OUTPUT, _ERROR = "output", "error"
# What one part of a result may be beside words: the wire's members that hold it.
_MEDIA_MEMBERS: Final = ("inlineData", "fileData")


def names_of_calls(messages: Sequence[Message]) -> Names:
    """Which tool each call is of: results need not say it, but the wire does."""
    return {
        part.tool_call.id: part.tool_call.name
        for message in messages
        for part in message.parts
        if part.HasField("tool_call")
    }


def encode_call(part: Part, path: str, translation: Translation) -> Json:
    """A call of the model, with its signature if it has one."""
    call = part.tool_call
    if call.kind == ToolKind.TOOL_KIND_CUSTOM:
        raise translation.refusal(f"{path}.tool_call.kind", "the provider knows no custom tools")
    if call.namespace:
        translation.drop(f"{path}.tool_call.namespace", "this API has no groups of tools")
    function: Json = {"name": call.name, "args": _arguments(call.arguments, f"{path}.tool_call.arguments")}
    if call.id:
        function["id"] = call.id
    return finish_part({"functionCall": function}, part, path, translation)


def encode_result(part: Part, path: str, names: Names, translation: Translation) -> list[Json]:
    """A result: one part, and beside it what older models do not take within it."""
    result = part.tool_result
    field = f"{path}.tool_result"
    name = result.name or names.get(result.call_id, "")
    if not name:
        raise InvalidRequestError.at_field(f"{field}.call_id", "is the id of no call in the conversation")
    texts: list[str] = []
    objects: list[orjson.Fragment] = []
    media: list[Json] = []
    for index, inner in enumerate(result.parts):
        at = f"{field}.parts[{index}]"
        if inner.HasField("json"):
            objects.append(orjson.Fragment(inner.json))
            texts.append(inner.json)
        elif (wire := encode_part(inner, at, translation)) is None:
            continue
        elif "text" in wire:
            texts.append(wire["text"])
        elif not wire.keys().isdisjoint(_MEDIA_MEMBERS):
            media.append(wire)
        else:
            raise translation.refusal(at, "a result consists of text, JSON and media")
    response: Json = {"name": name, "response": _response(result, texts, objects)}
    if result.call_id:
        response["id"] = result.call_id
    found = finish_part({"functionResponse": response}, part, path, translation)
    if not media:
        return [found]
    if generation_of(translation.target).is_before_3:
        translation.emulate(f"{field}.parts", "the model takes no media within a result: they stand after it")
        return [found, *media]
    response["parts"] = media
    return [found]


def _arguments(text: str, field: str) -> orjson.Fragment | Json:
    """The arguments byte for byte, once they are found to be an object."""
    if not text.strip():
        return {}
    try:
        read_object(text.encode())
    except MalformedFrameError as error:
        raise InvalidRequestError.at_field(field, f"are no arguments that this API takes: {error}") from error
    return orjson.Fragment(text)


def _response(result: ToolResult, texts: list[str], objects: list[orjson.Fragment]) -> orjson.Fragment | Json:
    """The object that a result is: a tool's own one as it is, anything else under the name that Google gives it."""
    value: object = "\n".join(texts)
    if len(objects) == len(texts) == 1:
        if not result.is_error and texts[0].lstrip().startswith("{"):
            return objects[0]
        value = objects[0]
    elif objects and len(objects) == len(texts):
        value = objects
    return {_ERROR if result.is_error else _OUTPUT: value}
