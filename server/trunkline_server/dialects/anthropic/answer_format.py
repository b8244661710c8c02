"""The form that an answer is asked for in: by a schema, by a tool that stands for one, or in words."""

from typing import Final

import orjson

from trunkline.v1 import CompleteRequest, FormatKind, ResponseFormat
from trunkline_server.dialects.anthropic.closed_schema import closed_schema
from trunkline_server.dialects.anthropic.generation import takes_forced_calls, takes_schemas
from trunkline_server.dialects.anthropic.names import ANSWER_TOOL
from trunkline_server.dialects.anthropic.tools import FORCED
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import Translation

_FIELD: Final = "response_format.kind"
_IN_WORDS: Final = "Answer with a single JSON object and nothing else: no words around it, and no code fence."
_BY_SCHEMA: Final = f"{_IN_WORDS} It must match this JSON Schema:\n"
_TOOL_TEXT: Final = (
    "Gives the answer to the user, in the form that was asked for. Call it in place of answering in text."
)


def put_format(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """Asks for the form in whatever way the target takes. Tools and conversation are in the body already."""
    wanted = request.response_format
    match wanted.kind:
        case FormatKind.FORMAT_KIND_UNSPECIFIED | FormatKind.FORMAT_KIND_TEXT:
            return  # it is what all give unasked
        case FormatKind.FORMAT_KIND_JSON_OBJECT:
            _ask_in_words(body, _IN_WORDS, translation)
        case FormatKind.FORMAT_KIND_JSON_SCHEMA:
            _put_schema(wanted, body, translation)
        case _:
            raise translation.refusal(_FIELD, "is text, json_object or json_schema")


def _put_schema(wanted: ResponseFormat, body: Json, translation: Translation) -> None:
    schema = wanted.schema or "{}"
    if takes_schemas(translation.target):
        if (closed := closed_schema(schema)) is not None:
            if closed.changed:
                translation.rewrite(
                    "response_format.schema", "objects are closed to other members (additionalProperties)"
                )
            body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": closed.wire}
            if wanted.description:
                translation.drop("response_format.description", "the provider takes the schema alone")
            return
        reason = "the schema has an object open to other members"
    else:
        reason = "the model has no schemas for answers"
    _put_tool(wanted, schema, body, reason, translation)


def _put_tool(wanted: ResponseFormat, schema: str, body: Json, reason: str, translation: Translation) -> None:
    """Has the model call a tool with its answer, or one of the tools on offer."""
    read = orjson.loads(schema)
    if not isinstance(read, dict) or read.get("type", "object") != "object":
        raise translation.refusal("response_format.schema", f"{reason}, and what stands for one takes an object")
    choice = body.get("tool_choice", {"type": "auto"})
    if choice["type"] in FORCED:
        translation.drop(_FIELD, "a call is demanded, so there is no answer that it could be the form of")
        return
    if not takes_forced_calls(translation.target):
        _ask_in_words(body, _BY_SCHEMA + schema, translation)
        return
    tool: Json = {
        "name": ANSWER_TOOL,
        "description": f"{_TOOL_TEXT} {wanted.description}".rstrip(),
        "input_schema": orjson.Fragment(schema) if "type" in read else {"type": "object", **read},
    }
    others = body.get("tools") and choice["type"] != "none"
    body["tools"] = [*body.get("tools", ()), tool]
    if others:
        body["tool_choice"] = {**choice, "type": "any"}
    else:
        body["tool_choice"] = {"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": True}
    translation.emulate(_FIELD, f"{reason}: it is made to call a tool with the answer", ANSWER_TOOL)


def _ask_in_words(body: Json, words: str, translation: Translation) -> None:
    """An instruction after all others."""
    body["system"] = [*body.get("system", ()), {"type": "text", "text": words}]
    translation.emulate(_FIELD, "the provider has no such form: it is asked for in words")
