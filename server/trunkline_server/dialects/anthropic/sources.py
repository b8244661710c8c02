"""Pictures and documents as blocks of Claude's wire."""

import base64
import mimetypes
from typing import Final

from trunkline.errors import InvalidRequestError
from trunkline.v1 import File, Image, ImageDetail, Media
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.media_types import media_type
from trunkline_server.dialects.translation import Translation

# https://platform.claude.com/docs/en/build-with-claude/vision and /pdf-support
_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF: Final = "application/pdf"
_TEXT: Final = "text/"
# Texts whose type does not begin with text/.
_TEXTS: Final = frozenset({"application/json", "application/xml", "application/x-yaml", "application/yaml"})
_DATA_URL: Final = "data:"
_HTTPS: Final = "https://"


def encode_image(image: Image, path: str, translation: Translation) -> Json:
    """A picture."""
    if image.detail > ImageDetail.IMAGE_DETAIL_AUTO:
        translation.drop(f"{path}.detail", "the model looks at all pictures alike")
    return {"type": "image", "source": _image_source(image.media, f"{path}.media", translation)}


def encode_file(file: File, path: str, translation: Translation) -> Json:
    """A document; a picture that came as a file is a picture."""
    media = f"{path}.media"
    if file.media.WhichOneof("source") == "data" and media_type(file.media) in _IMAGES:
        return {"type": "image", "source": _image_source(file.media, media, translation)}
    wire: Json = {"type": "document", "source": _document_source(file.media, media, translation)}
    if title := file.title or file.media.file_name:
        wire["title"] = title
    if file.context:
        wire["context"] = file.context
    if file.HasField("citable"):
        wire["citations"] = {"enabled": file.citable}
    return wire


def _image_source(media: Media, path: str, translation: Translation) -> Json:
    match media.WhichOneof("source"):
        case "data":
            return _base64_image(media_type(media), base64.b64encode(media.data).decode("ascii"), path, translation)
        case "url" if media.url.startswith(_DATA_URL):
            mime_type, data = _inline(media.url, path)
            return _base64_image(mime_type, data, path, translation)
        case _:
            return _elsewhere(media, path, translation)


def _base64_image(mime_type: str, data: str, path: str, translation: Translation) -> Json:
    if mime_type not in _IMAGES:
        raise translation.refusal(f"{path}.mime_type", f"the provider takes {', '.join(sorted(_IMAGES))}")
    return {"type": "base64", "media_type": mime_type, "data": data}


def _document_source(media: Media, path: str, translation: Translation) -> Json:
    match media.WhichOneof("source"):
        case "data":
            mime_type = media_type(media) or (mimetypes.guess_type(media.file_name)[0] or "")
            return _document(mime_type, media.data, path, translation)
        case "url" if media.url.startswith(_DATA_URL):
            mime_type, data = _inline(media.url, path)
            try:
                return _document(mime_type, base64.b64decode(data, validate=True), path, translation)
            except ValueError as error:
                raise InvalidRequestError.at_field(f"{path}.url", "is a data URL that is not in base64") from error
        case _:
            return _elsewhere(media, path, translation)


def _document(mime_type: str, data: bytes, path: str, translation: Translation) -> Json:
    if mime_type == _PDF:
        return {"type": "base64", "media_type": _PDF, "data": base64.b64encode(data).decode("ascii")}
    if mime_type.startswith(_TEXT) or mime_type in _TEXTS:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise InvalidRequestError.at_field(path, "is said to be text, and is not UTF-8") from error
        return {"type": "text", "media_type": "text/plain", "data": text}
    raise translation.refusal(f"{path}.mime_type", "the provider takes PDF and text")


def _elsewhere(media: Media, path: str, translation: Translation) -> Json:
    """What the provider fetches, or has."""
    provider = translation.target.provider
    match media.WhichOneof("source"):
        case "url" if not provider.kind.anthropic.media_urls:
            raise translation.needs_bytes(f"{path}.url")
        case "url" if media.url.startswith(_HTTPS):
            return {"type": "url", "url": media.url}
        case "url":
            raise translation.needs_bytes(f"{path}.url")
        case "file_id" if media.provider not in ("", provider.name):
            raise translation.refusal(f"{path}.file_id", f"the file lies at provider {media.provider}")
        case "file_id" if not provider.kind.anthropic.file_ids:
            raise translation.refusal(f"{path}.file_id", "the provider holds no files: send the bytes")
        case "file_id":
            return {"type": "file", "file_id": media.file_id}
        case _:
            raise InvalidRequestError.at_field(path, "has neither bytes nor an address")


def _inline(url: str, path: str) -> tuple[str, str]:
    """Type and base64 of what a data URL holds."""
    head, comma, data = url.removeprefix(_DATA_URL).partition(",")
    mime_type, _, encoding = head.rpartition(";")
    if not comma or encoding != "base64" or not mime_type:
        raise InvalidRequestError.at_field(f"{path}.url", "is a data URL of no type, or not in base64")
    return mime_type.partition(";")[0], data
