"""Content of a conversation as blocks of Claude's wire."""

from collections.abc import Sequence
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Citation, Part, StateKind
from trunkline_server.dialects.anthropic.cache_marks import UNMARKED, CacheMarks
from trunkline_server.dialects.anthropic.names import DIALECT
from trunkline_server.dialects.anthropic.sources import encode_file, encode_image
from trunkline_server.dialects.extensions import merge_extensions
from trunkline_server.dialects.fields_set import mere_text
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.own_state import is_only_id, is_own
from trunkline_server.dialects.translation import FOREIGN, Translation

_EMPTY: Final = "a text must hold more than white space"
_SIGNED: Final = (StateKind.STATE_KIND_ANTHROPIC_SIGNATURE, StateKind.STATE_KIND_ANTHROPIC_REDACTED)


def plain_text(part: Part) -> str:
    """The text of a part that is nothing else, as nearly all are; empty: it is looked at more closely."""
    text = mere_text(part)
    return text if text and not text.isspace() else ""


def encode_block(part: Part, path: str, translation: Translation, marks: CacheMarks) -> Json | None:
    """One part of a message; None if it has no place on this wire, which is noted."""
    wire = _encode(part, path, translation)
    if wire is None:
        return None
    return finish_block(wire, part, path, translation, marks)


def finish_block(wire: Json, part: Part, path: str, translation: Translation, marks: CacheMarks) -> Json:
    """The block with what belongs to any kind of part."""
    if len(part.ListFields()) == 1:
        return wire
    if part.HasField("cache_ttl_s"):
        if wire.get("type") in UNMARKED:
            translation.drop(f"{path}.cache_ttl_s", "no breakpoint can stand on thinking")
        else:
            marks.mark(wire, part.cache_ttl_s, path)
    if part.HasField("state") and part.state.kind not in _SIGNED and not is_only_id(part):
        translation.drop(f"{path}.state", "only the provider that made it reads it")
    if part.citations:
        _put_citations(wire, part.citations, path, translation)
    if part.phase:
        translation.drop(f"{path}.phase", "this API does not tell remarks from the answer")
    if part.extensions:
        merge_extensions(wire, part.extensions, f"{path}.", translation, DIALECT)
    return wire


def _encode(part: Part, path: str, translation: Translation) -> Json | None:
    match part.WhichOneof("content"):
        case "text":
            return _text(part.text, path, translation)
        case "image":
            return encode_image(part.image, f"{path}.image", translation)
        case "file":
            return encode_file(part.file, f"{path}.file", translation)
        case "json":
            translation.rewrite(f"{path}.json", "JSON stands in a prompt as text", "text")
            return _text(part.json, path, translation)
        case "refusal":
            translation.rewrite(f"{path}.refusal", "a refusal is sent back as text", "text")
            return _text(part.refusal, path, translation)
        case "reasoning":
            return _thinking(part, path, translation)
        case "server_tool_call":
            return _server_tool(part.server_tool_call.native, part.server_tool_call.provider, part, path, translation)
        case "server_tool_result":
            result = part.server_tool_result
            return _server_tool(result.native, result.provider, part, path, translation)
        case "opaque":
            if part.opaque.dialect not in (DIALECT, translation.target.provider.kind.name):
                translation.drop(f"{path}.opaque", FOREIGN)
                return None
            return _native(part.opaque.native, f"{path}.opaque.native")
        case "audio" | "video" as kind:
            raise translation.refusal(f"{path}.{kind}", "the provider takes text, pictures and documents")
        case kind:
            raise InvalidRequestError.at_field(path, f"{kind or 'no content'} has no place in this message")


def _text(text: str, path: str, translation: Translation) -> Json | None:
    if not text or text.isspace():
        translation.rewrite(path, _EMPTY)
        return None
    return {"type": "text", "text": text}


def _thinking(part: Part, path: str, translation: Translation) -> Json | None:
    """Thinking goes back word for word, with its signature, to the model that had it; to others it means nothing."""
    state = part.state
    if state.kind not in _SIGNED or not state.data:
        translation.drop(f"{path}.reasoning", "the provider takes back only thinking that it has signed")
        return None
    if not is_own(part, translation):
        translation.drop(f"{path}.reasoning", "the model takes back only thinking of its own")
        return None
    data = state.data.decode("utf-8", "replace")
    if state.kind == StateKind.STATE_KIND_ANTHROPIC_REDACTED:
        return {"type": "redacted_thinking", "data": data}
    return {"type": "thinking", "thinking": part.reasoning.text, "signature": data}


def _server_tool(native: str, provider: str, part: Part, path: str, translation: Translation) -> Json | None:
    """A step of a tool that the provider runs, as it came; only its provider knows it."""
    if provider not in ("", translation.target.provider.name) or not native:
        translation.drop(f"{path}.{part.WhichOneof('content')}", "another provider ran it")
        return None
    return _native(native, f"{path}.{part.WhichOneof('content')}.native")


def _native(text: str, path: str) -> Json:
    """A block as it came."""
    try:
        wire = orjson.loads(text)
    except orjson.JSONDecodeError:
        wire = None
    if not isinstance(wire, dict):
        raise InvalidRequestError.at_field(path, "is not a JSON object")
    if not isinstance(wire.get("type"), str):
        raise InvalidRequestError.at_field(f"{path}.type", "is missing")
    return wire


def _put_citations(wire: Json, citations: Sequence[Citation], path: str, translation: Translation) -> None:
    """Sources go back to the provider that named them, in its own form."""
    own = translation.target.provider.name
    found = [
        _native(cited.native, f"{path}.citations") for cited in citations if cited.provider == own and cited.native
    ]
    if found and wire.get("type") == "text":
        wire["citations"] = found
    if len(found) < len(citations):
        translation.drop(f"{path}.citations", "only sources that the provider itself named are sent back")
