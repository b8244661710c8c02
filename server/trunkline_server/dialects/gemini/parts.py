"""Content of a conversation as parts of Gemini's wire."""

import base64
import mimetypes
from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import File, Image, ImageDetail, Media, Part, StateKind, Video
from trunkline_server.dialects.extensions import merge_extensions
from trunkline_server.dialects.gemini.generation import generation_of
from trunkline_server.dialects.gemini.names import DIALECT
from trunkline_server.dialects.gemini.signatures import put_signature
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.media_types import media_type
from trunkline_server.dialects.own_state import is_own
from trunkline_server.dialects.translation import FOREIGN, Translation

# https://ai.google.dev/gemini-api/docs/media-resolution
_RESOLUTIONS: Final[Mapping[int, str]] = {
    ImageDetail.IMAGE_DETAIL_LOW: "MEDIA_RESOLUTION_LOW",
    ImageDetail.IMAGE_DETAIL_MEDIUM: "MEDIA_RESOLUTION_MEDIUM",
    ImageDetail.IMAGE_DETAIL_HIGH: "MEDIA_RESOLUTION_HIGH",
    ImageDetail.IMAGE_DETAIL_ORIGINAL: "MEDIA_RESOLUTION_ULTRA_HIGH",
}
_MS_PER_S: Final = 1000
_DATA_URL: Final = "data:"
_ADDRESSES: Final = ("https://", "http://", "gs://")
# What every model of the Developer API takes by address: films at YouTube, beside files that lie at Google.
_FILMS: Final = ("https://www.youtube.com/", "https://youtube.com/", "https://m.youtube.com/", "https://youtu.be/")


def encode_part(part: Part, path: str, translation: Translation) -> Json | None:
    """One part of a message, with its signature; None if it has no place on this wire, which is noted."""
    wire = _encode(part, path, translation)
    if wire is None:
        return None
    return finish_part(wire, part, path, translation)


def finish_part(wire: Json, part: Part, path: str, translation: Translation) -> Json:
    """The wire part with what belongs to any kind of part."""
    if len(part.ListFields()) == 1:
        return wire
    put_signature(wire, part, path, translation)
    if part.HasField("cache_ttl_s"):
        translation.drop(f"{path}.cache_ttl_s", "the provider caches by itself, or what `cachedContent` names")
    if part.citations:
        translation.drop(f"{path}.citations", "sources of earlier answers are not sent back by this API")
    if part.phase:
        translation.drop(f"{path}.phase", "this API does not tell remarks from the answer")
    if part.extensions:
        merge_extensions(wire, part.extensions, f"{path}.", translation, DIALECT)
    return wire


def encode_media(media: Media, path: str, translation: Translation) -> Json:
    """The member that holds bytes or their address: `inlineData` or `fileData`."""
    match media.WhichOneof("source"):
        case "data":
            if not (mime_type := media_type(media)):
                raise translation.refusal(f"{path}.mime_type", "is required: the bytes do not tell what they are")
            return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(media.data).decode("ascii")}}
        case "url" if media.url.startswith(_DATA_URL):
            return {"inlineData": _inline(media.url, path)}
        case "url":
            return _by_address(media, media.url, f"{path}.url", translation)
        case "file_id":
            return _by_address(media, _file_address(media, path, translation), f"{path}.file_id", translation)
        case _:
            raise InvalidRequestError.at_field(path, "has neither bytes nor an address")


def _encode(part: Part, path: str, translation: Translation) -> Json | None:
    match part.WhichOneof("content"):
        case "text":
            return {"text": part.text}
        case "image":
            return _image(part.image, f"{path}.image", translation)
        case "audio":
            return encode_media(part.audio.media, f"{path}.audio.media", translation)
        case "video":
            return _video(part.video, f"{path}.video", translation)
        case "file":
            return _file(part.file, f"{path}.file", translation)
        case "json":
            translation.rewrite(f"{path}.json", "JSON stands in a prompt as text", "text")
            return {"text": part.json}
        case "refusal":
            translation.rewrite(f"{path}.refusal", "a refusal is sent back as text", "text")
            return {"text": part.refusal}
        case "reasoning":
            return _thought(part, path, translation)
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
        case kind:
            raise InvalidRequestError.at_field(path, f"{kind or 'no content'} has no place in this message")


def _thought(part: Part, path: str, translation: Translation) -> Json | None:
    """A thought goes back as it came, to the model that had it; to others it means nothing."""
    if part.state.kind != StateKind.STATE_KIND_GEMINI_THOUGHT_SIGNATURE or not is_own(part, translation):
        translation.drop(f"{path}.reasoning", "the model takes back only thoughts of its own")
        return None
    return {"text": part.reasoning.text, "thought": True}


def _image(image: Image, path: str, translation: Translation) -> Json:
    wire = encode_media(image.media, f"{path}.media", translation)
    if image.detail > ImageDetail.IMAGE_DETAIL_AUTO:
        field = f"{path}.detail"
        if generation_of(translation.target).is_before_3:
            translation.drop(field, "the model looks at all pictures alike")
        elif resolution := translation.word(_RESOLUTIONS, image.detail, field):
            wire["mediaResolution"] = {"level": resolution}
    return wire


def _video(video: Video, path: str, translation: Translation) -> Json:
    wire = encode_media(video.media, f"{path}.media", translation)
    wanted: Json = {}
    if video.HasField("start_ms"):
        wanted["startOffset"] = _duration(video.start_ms)
    if video.HasField("end_ms"):
        wanted["endOffset"] = _duration(video.end_ms)
    if video.HasField("frames_per_second"):
        wanted["fps"] = video.frames_per_second
    if wanted:
        wire["videoMetadata"] = wanted
    return wire


def _duration(ms: int) -> str:
    """A time as protobuf writes it."""
    seconds, rest = divmod(ms, _MS_PER_S)
    return f"{seconds}.{rest:03}s" if rest else f"{seconds}s"


def _file(file: File, path: str, translation: Translation) -> Json:
    for name in ("title", "context"):
        if getattr(file, name):
            translation.drop(f"{path}.{name}", "this API has no such property of a file")
    if file.HasField("citable"):
        translation.drop(f"{path}.citable", "this API has no such property of a file")
    return encode_media(file.media, f"{path}.media", translation)


def _server_tool(native: str, provider: str, part: Part, path: str, translation: Translation) -> Json | None:
    """A step of a tool that the provider runs, as it came; only its provider knows it."""
    target, kind = translation.target, part.WhichOneof("content")
    if provider not in ("", target.provider.name) or not native:
        translation.drop(f"{path}.{kind}", "another provider ran it")
        return None
    if part.HasField("state") and not is_own(part, translation):
        translation.drop(f"{path}.{kind}", "another model asked for it")
        return None
    wire = _native(native, f"{path}.{kind}.native")
    if not target.provider.kind.gemini.server_tool_parts and not wire.keys().isdisjoint(("toolCall", "toolResponse")):
        translation.drop(f"{path}.{kind}", "the provider does not take calls of its tools back")
        return None
    return wire


def _native(text: str, path: str) -> Json:
    try:
        wire = orjson.loads(text)
    except orjson.JSONDecodeError:
        wire = None
    if not isinstance(wire, dict):
        raise InvalidRequestError.at_field(path, "is not a JSON object")
    return wire


def _inline(url: str, path: str) -> Json:
    """What a data URL holds."""
    head, comma, data = url.removeprefix(_DATA_URL).partition(",")
    mime_type, _, encoding = head.rpartition(";")
    if not comma or encoding != "base64" or not mime_type:
        raise InvalidRequestError.at_field(f"{path}.url", "is a data URL of no type, or not in base64")
    return {"mimeType": mime_type.partition(";")[0], "data": data}


def _by_address(media: Media, address: str, field: str, translation: Translation) -> Json:
    """Both APIs fetch what lies at an https address or, on Google Cloud, in a bucket.

    https://ai.google.dev/gemini-api/docs/file-input-methods: of the Developer API Gemini 2.0 and older do not.
    """
    provider = translation.target.provider
    own = (f"{provider.base_url}/files/", *_FILMS)
    generation = generation_of(translation.target)
    if not (provider.kind.gemini.fetches_for_all or generation.fetches or address.startswith(own)):
        raise translation.needs_bytes(field)
    mime_type = media.mime_type or mimetypes.guess_type(address.partition("?")[0])[0] or ""
    if not mime_type and provider.kind.gemini.typed_addresses:
        raise translation.refusal(field, "the provider must be told the type (mime_type) of what lies at an address")
    return {"fileData": {"mimeType": mime_type, "fileUri": address} if mime_type else {"fileUri": address}}


def _file_address(media: Media, path: str, translation: Translation) -> str:
    """The address of an uploaded file, by the id that the provider gave it: "files/abc", or the address itself."""
    provider = translation.target.provider
    if media.provider not in ("", provider.name):
        raise translation.refusal(f"{path}.file_id", f"the file lies at provider {media.provider}")
    if media.file_id.startswith(_ADDRESSES):
        return media.file_id
    if not provider.kind.gemini.file_ids:
        raise translation.refusal(f"{path}.file_id", "the provider holds no files: give a gs:// or https address")
    return f"{provider.base_url}/files/{media.file_id.removeprefix('files/')}"
