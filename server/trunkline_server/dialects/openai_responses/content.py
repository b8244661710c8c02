"""Content of prompts and of tools' results, as the parts `input_text`, `input_image` and `input_file` of this wire."""

import mimetypes
from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import File, Image, ImageDetail, Media, Part
from trunkline_server.dialects.data_urls import data_url
from trunkline_server.dialects.fields_set import is_plain
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.media_types import media_type
from trunkline_server.dialects.openai_responses.extensions import merge_extensions
from trunkline_server.dialects.openai_responses.names import DIALECT
from trunkline_server.dialects.own_state import is_only_id
from trunkline_server.dialects.translation import FOREIGN, Translation

Content = str | list[Json]

_DETAILS: Final[Mapping[int, str]] = {
    ImageDetail.IMAGE_DETAIL_AUTO: "auto",
    ImageDetail.IMAGE_DETAIL_LOW: "low",
    ImageDetail.IMAGE_DETAIL_HIGH: "high",
    ImageDetail.IMAGE_DETAIL_ORIGINAL: "original",
}
_BREAKPOINT: Final = "prompt_cache_breakpoint"
# https://platform.openai.com/docs/guides/prompt-caching: the lifetimes that a breakpoint may ask for.
CACHE_TTLS: Final[Mapping[int, str]] = {1800: "30m", 43200: "12h"}
_TEXT_MEMBERS: Final = frozenset({"type", "text"})


def cache_ttl(ttl_s: int, field: str, translation: Translation) -> str:
    """The lifetime that is sent for this one: the next longer, or the longest."""
    found = CACHE_TTLS.get(ttl_s) or ("30m" if ttl_s < max(CACHE_TTLS) else "12h")
    if ttl_s not in CACHE_TTLS:
        translation.rewrite(field, "the provider has other lifetimes", found)
    return found


def as_content(parts: list[Json]) -> Content:
    """Parts as the content of a message or the output of a tool: nothing but one text becomes a string."""
    if len(parts) == 1 and parts[0].keys() == _TEXT_MEMBERS and parts[0]["type"] == "input_text":
        text: str = parts[0]["text"]
        return text
    return parts


def encode_part(part: Part, path: str, translation: Translation) -> Json | None:
    """One part of a prompt or of a tool's result; None if it has no place there, which is noted."""
    wire = _encode(part, path, translation)
    if wire is None or is_plain(part):
        return wire
    if part.HasField("state") and not is_only_id(part):
        translation.drop(f"{path}.state", "only the provider that made it reads it")
    if part.citations:
        translation.drop(f"{path}.citations", "only answers have sources in this API")
    if part.phase:
        translation.drop(f"{path}.phase", "only answers have phases")
    if part.HasField("cache_ttl_s"):
        add_breakpoint(wire, part.cache_ttl_s, path, translation)
    if part.extensions:
        merge_extensions(wire, part.extensions, f"{path}.", translation)
    return wire


def add_breakpoint(wire: Json, ttl_s: int, path: str, translation: Translation) -> None:
    """Marks a part as the end of what the provider is to cache."""
    field = f"{path}.cache_ttl_s"
    if not translation.target.provider.kind.responses.cache_breakpoints:
        translation.drop(field, "the provider places cache breakpoints itself, if it caches at all")
        return
    mark = {"mode": "explicit"}
    if ttl_s:
        mark["ttl"] = cache_ttl(ttl_s, field, translation)
    wire[_BREAKPOINT] = mark


def native_object(text: str, path: str) -> Json:
    """What an opaque part or a step of a server tool holds."""
    try:
        wire = orjson.loads(text)
    except orjson.JSONDecodeError:
        wire = None
    if not isinstance(wire, dict):
        raise InvalidRequestError.at_field(path, "is not a JSON object")
    return wire


def is_for(dialect: str, translation: Translation) -> bool:
    """Whether what is of this dialect, or kind of provider, is for the target."""
    return dialect in (DIALECT, translation.target.provider.kind.name)


def _encode(part: Part, path: str, translation: Translation) -> Json | None:
    match part.WhichOneof("content"):
        case "text":
            return {"type": "input_text", "text": part.text}
        case "json":
            return {"type": "input_text", "text": part.json}
        case "refusal":
            translation.rewrite(f"{path}.refusal", "a refusal is sent as text", "text")
            return {"type": "input_text", "text": part.refusal}
        case "image":
            return encode_image(part.image, f"{path}.image", translation)
        case "file":
            return _file(part.file, f"{path}.file", translation)
        case "audio" | "video" as kind:
            raise translation.refusal(f"{path}.{kind}", f"this API takes no {kind}")
        case "opaque":
            if not is_for(part.opaque.dialect, translation):
                translation.drop(f"{path}.opaque", FOREIGN)
                return None
            return native_object(part.opaque.native, f"{path}.opaque.native")
        case "server_tool_call" | "server_tool_result" | "reasoning" as kind:
            translation.drop(f"{path}.{kind}", "there is no place for it in this message")
            return None
        case kind:
            raise InvalidRequestError.at_field(path, f"{kind or 'no content'} has no place in this message")


def encode_image(image: Image, path: str, translation: Translation) -> Json:
    """A picture, with the detail that this API insists on."""
    wire: Json = {"type": "input_image"}
    detail = "auto"
    if image.detail:
        if image.detail in _DETAILS:
            detail = _DETAILS[image.detail]
        else:
            translation.drop(f"{path}.detail", "the provider has no such detail")
    wire["detail"] = detail
    if image.media.WhichOneof("source") == "file_id":
        wire["file_id"] = _own_file(image.media, path, translation)
    else:
        wire["image_url"] = _url(image.media, path, translation)
    return wire


def _file(file: File, path: str, translation: Translation) -> Json:
    media = file.media
    source, mime_type = media.WhichOneof("source"), media_type(media)
    if not translation.target.provider.kind.responses.files:
        if source == "data" and mime_type.startswith("text/"):
            translation.emulate(path, "the provider takes no files: its text is sent instead", "text")
            return {"type": "input_text", "text": media.data.decode("utf-8", "replace")}
        raise translation.refusal(path, "the provider takes no files")
    if file.title and media.file_name:
        translation.drop(f"{path}.title", "this API has no such property of a file")
    if file.context:
        translation.drop(f"{path}.context", "this API has no such property of a file")
    if file.HasField("citable"):
        translation.drop(f"{path}.citable", "this API has no such property of a file")
    wire: Json = {"type": "input_file"}
    match source:
        case "file_id":
            wire["file_id"] = _own_file(media, path, translation)
            return wire
        case "url" if not media.url.startswith("data:"):
            wire["file_url"] = _url(media, path, translation)
            return wire
        case _:
            # A file without a name is refused.
            wire["filename"] = (
                media.file_name
                or f"{file.title or 'file'}{mimetypes.guess_extension(mime_type.partition(';')[0]) or ''}"
            )
            wire["file_data"] = _url(media, path, translation)
            return wire


def _own_file(media: Media, path: str, translation: Translation) -> str:
    if media.provider not in ("", translation.target.provider.name):
        raise translation.refusal(f"{path}.media.file_id", f"the file lies at provider {media.provider}")
    return media.file_id


def _url(media: Media, path: str, translation: Translation) -> str:
    match media.WhichOneof("source"):
        case "data":
            return data_url(media, path, translation)
        case "url" if media.url.startswith("data:") or translation.target.provider.kind.responses.image_urls:
            return media.url
        case "url":
            raise translation.needs_bytes(f"{path}.media.url")
        case _:
            raise InvalidRequestError.at_field(f"{path}.media", "has neither bytes nor an address")
