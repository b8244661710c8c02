"""What bytes are, where their sender did not say."""

from typing import Final

from trunkline.v1 import Media

# Offset and first bytes of the formats that models take; https://mimesniff.spec.whatwg.org/ for most of them.
_SIGNATURES: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (4, b"ftyp", "video/mp4"),
)


def media_type(media: Media) -> str:
    """The IANA type as the sender said or, failing that, as the bytes begin; empty if neither tells."""
    if media.mime_type:
        return media.mime_type
    start = media.data[:16]
    return next((name for at, mark, name in _SIGNATURES if start[at : at + len(mark)] == mark), "")
