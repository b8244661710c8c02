"""Pictures, sound and files in an answer."""

import base64
import binascii
from typing import Final, Literal

from trunkline.v1 import Media, Part
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import Json, text_in

MediaKind = Literal["image", "audio", "file"]

_KINDS: Final[dict[str, MediaKind]] = {"image": "image", "audio": "audio"}


def kind_of(raw: Json) -> MediaKind:
    """Which kind of part an `inlineData` or `fileData` is."""
    return _KINDS.get(text_in(raw, "mimeType").partition("/")[0], "file")


def bytes_of(raw: Json) -> bytes:
    """The bytes of an `inlineData`."""
    try:
        return base64.b64decode(text_in(raw, "data"), validate=True)
    except binascii.Error as error:
        raise MalformedFrameError("inlineData.data is not base64") from error


def media_of(part: Part, kind: MediaKind) -> Media:
    """The media of a part that is of this kind, or becomes it."""
    match kind:
        case "image":
            return part.image.media
        case "audio":
            return part.audio.media
        case "file":
            return part.file.media


def describe(media: Media, raw: Json, provider: str) -> None:
    """What is said of the bytes, and their address if that is all there is."""
    media.mime_type = text_in(raw, "mimeType")
    media.file_name = text_in(raw, "displayName")
    if address := text_in(raw, "fileUri"):
        media.url = address
        media.provider = provider
