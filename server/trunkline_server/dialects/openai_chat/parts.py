"""Content of a prompt beside plain text, as parts of the chat completions wire."""

import base64
import mimetypes
from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import File, Image, ImageDetail, Media, Part, StateKind, Video
from trunkline_server.dialects.data_urls import data_url
from trunkline_server.dialects.fields_set import is_plain
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.media_types import media_type
from trunkline_server.dialects.openai_chat.extensions import merge_extensions
from trunkline_server.dialects.openai_chat.names import DIALECT
from trunkline_server.dialects.own_state import is_only_id
from trunkline_server.dialects.translation import FOREIGN, Translation

Content = str | list[Json]

_DETAILS: Final[Mapping[int, str]] = {
    ImageDetail.IMAGE_DETAIL_AUTO: "auto",
    ImageDetail.IMAGE_DETAIL_LOW: "low",
    ImageDetail.IMAGE_DETAIL_MEDIUM: "medium",
    ImageDetail.IMAGE_DETAIL_HIGH: "high",
    ImageDetail.IMAGE_DETAIL_ORIGINAL: "original",
}
_AUDIO_FORMATS: Final = {
    "audio/flac": "flac",
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/vnd.wave": "wav",
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
}
# https://platform.openai.com/docs/guides/prompt-caching: the lifetimes that a breakpoint may ask for.
_BREAKPOINT_TTLS: Final = {1800: "30m", 43200: "12h"}


def encode_content(parts: list[Json]) -> Content:
    """Parts as the content of a message: one that is nothing but text becomes a string, which all vendors take."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"} and parts[0]["type"] == "text":
        text: str = parts[0]["text"]
        return text
    return parts


def encode_part(part: Part, path: str, translation: Translation) -> Json | None:
    """One part of a message; None if it has no place on this wire, which is noted."""
    wire = _encode(part, path, translation)
    if wire is None or is_plain(part):
        return wire
    note_unsaid(part, path, translation)
    if part.HasField("cache_ttl_s"):
        add_breakpoint(wire, part.cache_ttl_s, path, translation)
    if part.extensions:
        merge_extensions(wire, part.extensions, f"{path}.", translation)
    return wire


def note_unsaid(part: Part, path: str, translation: Translation) -> None:
    """Notes what a part carries that no part of this wire has a place for."""
    if part.HasField("state") and part.state.kind != StateKind.STATE_KIND_PLAIN_TEXT and not is_only_id(part):
        translation.drop(f"{path}.state", "only the provider that made it reads it, and not by this API")
    if part.citations:
        translation.drop(f"{path}.citations", "sources of earlier answers are not sent back by this API")
    if part.phase:
        translation.drop(f"{path}.phase", "this API does not tell remarks from the answer")


def add_breakpoint(wire: Json, ttl_s: int, path: str, translation: Translation) -> None:
    """Marks a part as the end of what the provider is to cache."""
    if not translation.target.provider.kind.chat.cache_breakpoints:
        translation.drop(f"{path}.cache_ttl_s", "the provider places cache breakpoints itself, if it caches at all")
        return
    mark = {"mode": "explicit"}
    if ttl_s:
        mark["ttl"] = _BREAKPOINT_TTLS.get(ttl_s) or ("30m" if ttl_s < max(_BREAKPOINT_TTLS) else "12h")
        if ttl_s not in _BREAKPOINT_TTLS:
            translation.rewrite(f"{path}.cache_ttl_s", "the provider has other lifetimes", mark["ttl"])
    wire["prompt_cache_breakpoint"] = mark


def _encode(part: Part, path: str, translation: Translation) -> Json | None:
    match part.WhichOneof("content"):
        case "text":
            return {"type": "text", "text": part.text}
        case "image":
            return _image(part.image, f"{path}.image", translation)
        case "audio":
            return _audio(part.audio.media, f"{path}.audio", translation)
        case "file":
            return _file(part.file, f"{path}.file", translation)
        case "video":
            return _video(part.video, f"{path}.video", translation)
        case "json":
            translation.rewrite(f"{path}.json", "JSON stands in a prompt as text", "text")
            return {"type": "text", "text": part.json}
        case "refusal":
            translation.rewrite(f"{path}.refusal", "a refusal is sent back as text", "text")
            return {"type": "text", "text": part.refusal}
        case "opaque":
            return _opaque(part, path, translation)
        case "server_tool_call" | "server_tool_result" | "reasoning" as kind:
            translation.drop(f"{path}.{kind}", "there is no place for it in this message")
            return None
        case kind:
            raise InvalidRequestError.at_field(path, f"{kind or 'no content'} has no place in this message")


def _image(image: Image, path: str, translation: Translation) -> Json:
    quirks = translation.target.provider.kind.chat
    _require("image", path, translation)
    address: Json = {"url": _url(image.media, path, translation, by_address=quirks.image_urls)}
    if detail := translation.word(_DETAILS, image.detail, f"{path}.detail"):
        if detail in quirks.image_details:
            address["detail"] = detail
        else:
            translation.drop(f"{path}.detail", f"the provider has no detail {detail!r}")
    return {"type": "image_url", "image_url": address}


def _audio(media: Media, path: str, translation: Translation) -> Json:
    _require("audio", path, translation)
    if media.WhichOneof("source") != "data":
        raise translation.refusal(f"{path}.media", "sound is sent to this provider as bytes only")
    mime_type = media_type(media)
    if not (audio_format := _AUDIO_FORMATS.get(mime_type.partition(";")[0].lower())):
        raise translation.refusal(f"{path}.media.mime_type", f"is one of {', '.join(_AUDIO_FORMATS)}")
    return {"type": "input_audio", "input_audio": {"data": _base64(media.data), "format": audio_format}}


def _video(video: Video, path: str, translation: Translation) -> Json:
    _require("video", path, translation)
    for name in ("start_ms", "end_ms", "frames_per_second"):
        if video.HasField(name):
            translation.drop(f"{path}.{name}", "this API always takes the whole video")
    return {"type": "video_url", "video_url": {"url": _url(video.media, path, translation, by_address=True)}}


def _file(file: File, path: str, translation: Translation) -> Json:
    media = file.media
    source = media.WhichOneof("source")
    mime_type = media_type(media)
    if "file" not in translation.target.provider.kind.chat.inputs:
        if source == "data" and mime_type.startswith("text/"):
            translation.emulate(path, "the provider takes no files: its text is sent instead", "text")
            return {"type": "text", "text": media.data.decode("utf-8", "replace")}
        _require("file", path, translation)
    if file.title and media.file_name:
        translation.drop(f"{path}.title", "this API has no such property of a file")
    if file.context:
        translation.drop(f"{path}.context", "this API has no such property of a file")
    if file.HasField("citable"):
        translation.drop(f"{path}.citable", "this API has no such property of a file")
    if translation.target.provider.kind.chat.document_urls:
        document: Json = {"type": "document_url", "document_url": _url(media, path, translation, by_address=True)}
        return {**document, "document_name": media.file_name} if media.file_name else document
    match source:
        case "file_id":
            _require_own_file(media, path, translation)
            return {"type": "file", "file": {"file_id": media.file_id}}
        case "data":
            name = media.file_name or f"{file.title or 'file'}{mimetypes.guess_extension(mime_type) or ''}"
            return {"type": "file", "file": {"filename": name, "file_data": data_url(media, path, translation)}}
        case _:
            raise translation.needs_bytes(f"{path}.media.url")


def _opaque(part: Part, path: str, translation: Translation) -> Json | None:
    opaque = part.opaque
    if opaque.dialect not in (DIALECT, translation.target.provider.kind.name):
        translation.drop(f"{path}.opaque", FOREIGN)
        return None
    try:
        wire = orjson.loads(opaque.native)
    except orjson.JSONDecodeError:
        wire = None
    if not isinstance(wire, dict):
        raise InvalidRequestError.at_field(f"{path}.opaque.native", "is not a JSON object")
    return wire


def _require(modality: str, path: str, translation: Translation) -> None:
    if modality not in translation.target.provider.kind.chat.inputs:
        raise translation.refusal(path, f"the provider takes no {modality}")


def _require_own_file(media: Media, path: str, translation: Translation) -> None:
    if media.provider not in ("", translation.target.provider.name):
        raise translation.refusal(f"{path}.media.file_id", f"the file lies at provider {media.provider}")


def _url(media: Media, path: str, translation: Translation, *, by_address: bool) -> str:
    match media.WhichOneof("source"):
        case "data":
            return data_url(media, path, translation)
        case "url" if by_address or media.url.startswith("data:"):
            return media.url
        case "url":
            raise translation.needs_bytes(f"{path}.media.url")
        case _:
            raise translation.refusal(f"{path}.media.file_id", "it is sent by this API as bytes or by address only")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
