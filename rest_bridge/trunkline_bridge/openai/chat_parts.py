"""Content parts of OpenAI's chat messages as parts of the contract."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Final
from urllib.parse import unquote_to_bytes

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from trunkline.v1 import Media, Part
from trunkline_bridge.errors import ParameterError
from trunkline_bridge.json_text import compact
from trunkline_bridge.openai.chat_words import AUDIO_TYPES, CACHE_TTLS, DETAILS, DIALECT
from trunkline_bridge.openai.fields import (
    Json,
    filled_text,
    invalid,
    members,
    missing,
    others,
    required,
    text,
    unknown,
    word,
    wrong_type,
)

Parts = RepeatedCompositeFieldContainer[Part]

_ADDRESS: Final = re.compile(r"https?://[^\s]+", re.IGNORECASE)
_AUDIO_FORMAT: Final = re.compile(r"[a-z0-9]{1,16}")
_TTL_WORDS: Final = ", ".join(map(repr, CACHE_TTLS))


def add_content(parts: Parts, content: object, param: str) -> None:
    """Adds a message's content: one text, or an array of parts."""
    if isinstance(content, str):
        parts.add().text = content
    elif isinstance(content, list):
        for index, raw in enumerate(content):
            _add_part(parts, raw, f"{param}[{index}]")
    else:
        raise wrong_type(param, "one of a string or an array of objects", content)


def add_texts(parts: Parts, content: object, param: str) -> None:
    """Adds content that may only be text."""
    if isinstance(content, list):
        for index, raw in enumerate(content):
            if members(raw, f"{param}[{index}]").get("type") != "text":
                raise invalid(f"{param}[{index}].type", "Supported values are: 'text'.")
    add_content(parts, content, param)


def add_extensions(extensions: MutableMapping[str, str], extra: Json) -> None:
    """Keeps a vendor's own members with what they stood on."""
    if extra:
        extensions[DIALECT] = compact(extra)


def cache_ttl_s(value: object, param: str) -> int:
    """Lifetime of a prompt-cache breakpoint in seconds; 0: the provider's default."""
    found = members(value, param)
    if required(found, "mode", param) != "explicit":
        raise invalid(f"{param}.mode", "Supported values are: 'explicit'.")
    for name in found.keys() - {"mode", "ttl"}:
        raise unknown(f"{param}.{name[:64]}")
    return ttl_s(found["ttl"], f"{param}.ttl") if found.get("ttl") is not None else 0


def ttl_s(value: object, param: str) -> int:
    """A lifetime such as "30m" in seconds."""
    return word(value, param, CACHE_TTLS)


def decode_base64(data: str, param: str) -> bytes:
    """Bytes that came as JSON can hold them."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(param, "it is not valid base64.", code="invalid_base64") from None


def _add_part(parts: Parts, raw: object, param: str) -> None:
    found = members(raw, param)
    kind = text(required(found, "type", param), f"{param}.type")
    part = parts.add()
    if (read := _KINDS.get(kind)) is None:
        # A kind that only one vendor has stays in its place.
        part.opaque.dialect = DIALECT
        part.opaque.type = kind
        part.opaque.native = compact(raw)
        return
    extra = read(part, found, param)
    if found.keys() - _COMMON - {kind}:
        extra.update(others(found, _COMMON | {kind}))
    add_extensions(part.extensions, extra)
    if (breakpoint_ := found.get("prompt_cache_breakpoint")) is not None:
        part.cache_ttl_s = cache_ttl_s(breakpoint_, f"{param}.prompt_cache_breakpoint")


def _text(part: Part, found: Json, param: str) -> Json:
    part.text = text(required(found, "text", param), f"{param}.text")
    return {}


def _refusal(part: Part, found: Json, param: str) -> Json:
    part.refusal = text(required(found, "refusal", param), f"{param}.refusal")
    return {}


def _image(part: Part, found: Json, param: str) -> Json:
    param += ".image_url"
    image = members(required(found, "image_url", param.removesuffix(".image_url")), param)
    url = filled_text(required(image, "url", param), f"{param}.url")
    _read_url(part.image.media, url, f"{param}.url")
    if (detail := image.get("detail")) is not None:
        part.image.detail = word(detail, f"{param}.detail", DETAILS)
    return _nested("image_url", image, {"url", "detail"})


def _audio(part: Part, found: Json, param: str) -> Json:
    audio = members(required(found, "input_audio", param), f"{param}.input_audio")
    param += ".input_audio"
    format_ = text(required(audio, "format", param), f"{param}.format")
    if _AUDIO_FORMAT.fullmatch(format_) is None:
        raise invalid(f"{param}.format", "a name such as 'wav' or 'mp3' is expected.")
    media = part.audio.media
    media.data = decode_base64(filled_text(required(audio, "data", param), f"{param}.data"), f"{param}.data")
    media.mime_type = AUDIO_TYPES.get(format_, f"audio/{format_}")
    return _nested("input_audio", audio, {"data", "format"})


def _file(part: Part, found: Json, param: str) -> Json:
    file = members(required(found, "file", param), f"{param}.file")
    param += ".file"
    media = part.file.media
    data, file_id = file.get("file_data"), file.get("file_id")
    if data is not None and file_id is not None:
        raise invalid(param, "it holds one of 'file_data' and 'file_id', not both.")
    if data is not None:
        data = filled_text(data, f"{param}.file_data")
        if data.startswith("data:"):
            _read_url(media, data, f"{param}.file_data")
        else:
            media.data = decode_base64(data, f"{param}.file_data")
    elif file_id is not None:
        media.file_id = filled_text(file_id, f"{param}.file_id")
    else:
        raise missing(f"{param}.file_data")
    if (name := file.get("filename")) is not None:
        media.file_name = text(name, f"{param}.filename")
    return _nested("file", file, {"file_data", "file_id", "filename"})


def _nested(name: str, found: Json, known: set[str]) -> Json:
    """A vendor's members of an object inside the part, at the same place."""
    extra = others(found, known) if found.keys() - known else {}
    return {name: extra} if extra else {}


def _read_url(media: Media, url: str, param: str) -> None:
    """An https address as it is, a data: URL (RFC 2397) as the bytes it holds."""
    if not url.startswith("data:"):
        if _ADDRESS.fullmatch(url) is None:
            raise _bad_url(param, "an http(s) address or a base64 data: URL is expected.")
        media.url = url
        return
    head, comma, data = url[5:].partition(",")
    if not comma:
        raise _bad_url(param, "the data: URL holds no data.")
    mime_type, *parameters = head.split(";")
    media.mime_type = mime_type
    media.data = decode_base64(data, param) if "base64" in parameters else unquote_to_bytes(data)


def _bad_url(param: str, expected: str) -> ParameterError:
    return invalid(param, expected, code="invalid_image_url" if "image_url" in param else "invalid_value")


_COMMON: Final = frozenset(("type", "prompt_cache_breakpoint"))
_KINDS: Final[Mapping[str, Callable[[Part, Json, str], Json]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}
