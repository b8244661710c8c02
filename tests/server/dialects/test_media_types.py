"""Bytes tell what they are where their sender does not."""

import pytest

from trunkline.v1 import Media
from trunkline_server.dialects.media_types import media_type


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x89PNG\r\n\x1a\n\0", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"plain words", ""),
        (b"", ""),
    ],
)
def test_the_first_bytes_tell_the_type(data: bytes, found: str) -> None:
    assert media_type(Media(data=data)) == found


def test_what_the_sender_says_counts() -> None:
    assert media_type(Media(data=b"GIF89a", mime_type="image/png")) == "image/png"
    assert media_type(Media(url="https://example.org/a.gif")) == ""
