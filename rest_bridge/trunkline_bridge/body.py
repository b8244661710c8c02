"""Request bodies, read whole within limits on their size, their time and their sum.

Bodies are decompressed here and not by aiohttp (see `create_runner`), a step at a time, so that a few compressed
bytes never become more than the limit, whatever the version of aiohttp.
"""

import asyncio
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from aiohttp import StreamReader, web

from trunkline.errors import OverloadedError, RequestTooLargeError
from trunkline_bridge.errors import SurfaceError
from trunkline_bridge.settings import BridgeSettings

ENCODINGS = ("gzip", "deflate")
_STEP_BYTES = 256 * 1024


class BodyBudget:
    """How many bytes of request bodies the process holds, over all requests."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0

    def lease(self) -> "BodyLease":
        """One request's share, given back when its `with` block ends."""
        return BodyLease(self)


class BodyLease:
    """Grows with what a request has sent."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def grow(self, size: int) -> None:
        """Raises OverloadedError if the process holds too much already."""
        if self._budget.held_bytes + size > self._budget.max_bytes:
            raise OverloadedError("The gateway holds as many bytes of requests as it may; try again.")
        self._budget.held_bytes += size
        self._bytes += size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._budget.held_bytes -= self._bytes
        self._bytes = 0


async def read_body(request: web.BaseRequest, lease: BodyLease, settings: BridgeSettings) -> bytes:
    """The body, decompressed.

    Raises RequestTooLargeError, OverloadedError, or SurfaceError where it is late, broken or of an unknown encoding.
    """
    limit = settings.max_request_bytes
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    encoding = request.headers.get("Content-Encoding", "").strip().lower().removeprefix("x-")
    if encoding in ("", "identity"):
        inflater = None
    elif encoding in ENCODINGS:
        inflater = _Inflater(encoding)
    else:
        offered = ", ".join(ENCODINGS)
        message = f"Content-Encoding is one of {offered}."
        raise SurfaceError(415, "unsupported_content_encoding", message, headers={"accept-encoding": offered})
    try:
        if request.content.is_eof():  # nearly always: all of it came with the headers
            if inflater is None:
                return _taken(request.content.read_nowait(), lease, limit)
            return await _collect(request.content, inflater, lease, limit)
        async with asyncio.timeout(settings.body_timeout_s):
            return await _collect(request.content, inflater, lease, limit)
    except TimeoutError:
        message = f"The request body did not arrive within {settings.body_timeout_s:g} seconds."
        raise SurfaceError(408, "request_timeout", message, headers={"connection": "close"}) from None
    except web.RequestPayloadError as error:
        raise SurfaceError(400, "malformed_body", "The request body was cut off or is badly framed.") from error
    except zlib.error as error:
        raise SurfaceError(400, "malformed_body", f"The request body is not valid {encoding}.") from error


def _taken(body: bytes, lease: BodyLease, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    lease.grow(len(body))
    return body


async def _collect(content: StreamReader, inflater: "_Inflater | None", lease: BodyLease, limit: int) -> bytes:
    found: list[bytes] = []
    size = 0
    async for chunk in content.iter_any():
        for piece in (chunk,) if inflater is None else inflater.feed(chunk):
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            lease.grow(len(piece))
            found.append(piece)
            if len(piece) == _STEP_BYTES:
                await asyncio.sleep(0)  # inflating is work: others get their turn between steps
    if inflater is not None:
        inflater.close()
    return found[0] if len(found) == 1 else b"".join(found)


class _Inflater:
    """Undoes a Content-Encoding in pieces of bounded size; raises zlib.error where the data is not that."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._inflate: zlib._Decompress | None = None

    def feed(self, compressed: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            self._inflate = zlib.decompressobj(_window_bits(self._encoding, compressed[0]))
        while True:
            piece = self._inflate.decompress(compressed, _STEP_BYTES)
            yield piece
            compressed = self._inflate.unconsumed_tail
            # A full piece may not be all that the input so far amounts to.
            if len(piece) < _STEP_BYTES and not compressed:
                break
        if self._inflate.unused_data:
            raise zlib.error("something follows the compressed body")

    def close(self) -> None:
        if self._inflate is None or not self._inflate.eof:
            raise zlib.error("the compressed body is cut off")


def _window_bits(encoding: str, first_byte: int) -> int:
    if encoding == "gzip":
        return 16 + zlib.MAX_WBITS
    # "deflate" means the zlib format (RFC 9110 section 8.4.1.2), but some clients send it without zlib's header.
    return zlib.MAX_WBITS if first_byte & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS


def _too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"The request body is larger than the {limit} bytes allowed.")
