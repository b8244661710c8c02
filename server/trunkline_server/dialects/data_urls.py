"""Bytes within an address: https://www.rfc-editor.org/rfc/rfc2397."""

import base64

from trunkline.v1 import Media
from trunkline_server.dialects.media_types import media_type
from trunkline_server.dialects.translation import Translation


def data_url(media: Media, path: str, translation: Translation) -> str:
    """The bytes of what stands at `path`.media, with their type, which must be known."""
    if not (mime_type := media_type(media)):
        raise translation.refusal(f"{path}.media.mime_type", "is required: the bytes do not tell what they are")
    return f"data:{mime_type};base64,{base64.b64encode(media.data).decode('ascii')}"
