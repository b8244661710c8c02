"""Compressed answers, undone a step at a time, so that a few bytes never become more than a reader asked for."""

import zlib
from typing import Final

STEP_BYTES: Final = 256 * 1024
ENCODINGS: Final = frozenset(("gzip", "x-gzip", "deflate"))

_GZIP: Final = 16 + zlib.MAX_WBITS
_GZIP_MAGIC: Final = b"\x1f\x8b"


class Inflation:
    """Undoes one Content-Encoding. Raises zlib.error where the data is not that."""

    __slots__ = ("_gzip", "_inflate", "_rest")

    def __init__(self, encoding: str) -> None:
        """`encoding` is one of ENCODINGS."""
        self._gzip = encoding != "deflate"
        self._inflate: zlib._Decompress | None = None
        self._rest = b""

    @property
    def idle(self) -> bool:
        """Whether all that was fed has been given."""
        return not self._rest

    def feed(self, compressed: bytes) -> bytes:
        """At most STEP_BYTES of what `compressed` amounts to, after what was held back; more by feeding nothing."""
        data = self._rest + compressed if self._rest else compressed
        self._rest = b""
        if not data:
            return b""
        inflate = self._inflate
        if inflate is None or inflate.eof:
            # A gzip body may consist of several members; whatever else follows an end is not for us.
            if inflate is not None and not (self._gzip and data.startswith(_GZIP_MAGIC)):
                raise zlib.error("something follows the compressed body")
            inflate = self._inflate = zlib.decompressobj(_GZIP if self._gzip else _window_bits(data[0]))
        found = inflate.decompress(data, STEP_BYTES)
        self._rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        return found

    def close(self) -> None:
        """Nothing more comes. Raises zlib.error if something should."""
        if self._inflate is not None and not self._inflate.eof:
            raise zlib.error("the compressed body is cut off")


def _window_bits(first_byte: int) -> int:
    # "deflate" means the zlib format (RFC 9110 section 8.4.1.2), but some servers send it without zlib's header.
    return zlib.MAX_WBITS if first_byte & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS
