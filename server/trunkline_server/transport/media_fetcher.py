"""Fetches images and files by their addresses, for providers that take bytes only.

Callers choose the addresses, so this is what they could misuse to look into the operator's network: only public
addresses are connected to, redirects are looked at like any other address, nothing of the gateway's goes along, and
size, time and types are limited.
"""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Final, Self

import aiohttp
from yarl import URL

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Media
from trunkline_server.config.settings import MediaSettings
from trunkline_server.transport.public_addresses import PrivateAddressError, PublicResolver, address_in, is_public

MAX_REDIRECTS: Final = 3
MAX_AT_ONCE: Final = 16
"""Downloads under way in the whole process; others wait."""
_HEADERS: Final = {
    "User-Agent": "trunkline",
    "Accept": "image/*, application/pdf, audio/*, video/*, text/plain",
    # What is packed could grow beyond any limit in one step.
    "Accept-Encoding": "identity",
}
_SCHEMES: Final = frozenset({"https"})
_PIECE_BYTES: Final = 64 * 1024

# By how their bytes begin: what a server calls them is not to be trusted.
_SIGNATURES: Final[Sequence[tuple[int, bytes, str]]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypheif", "image/heif"),
    (4, b"ftypavif", "image/avif"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
)
# Types without a signature, which are taken at their word if the bytes are text.
_TEXTS: Final = frozenset({"text/plain", "text/csv", "text/markdown"})


class MediaFetcher:
    """Downloads under the operator's limits. Use as an async context manager."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self._allowed = [ip_network(network) for network in settings.allowed_networks]
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # Connections are not kept: the next caller's address is another's.
        connector = aiohttp.TCPConnector(
            resolver=PublicResolver(self._allowed), use_dns_cache=False, force_close=True, limit=MAX_AT_ONCE
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, address: str, field: str) -> Media:
        """What lies there. Raises InvalidRequestError for `field`, whose text tells no more than its caller may know."""
        if self._session is None:
            raise RuntimeError("the fetcher has not been entered")
        async with self._places:
            try:
                return await self._fetch(self._session, URL(address), field)
            except PrivateAddressError:
                raise _refused(field, "does not lead to a public address") from None
            except TimeoutError:
                raise _refused(field, f"did not give its content within {self._settings.timeout_s:g} s") from None
            except (aiohttp.ClientError, OSError, ValueError) as error:
                if isinstance(error.__cause__, PrivateAddressError):
                    raise _refused(field, "does not lead to a public address") from None
                raise _refused(field, "cannot be fetched") from error

    async def _fetch(self, session: aiohttp.ClientSession, url: URL, field: str) -> Media:
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url, field)
            async with session.get(url, allow_redirects=False) as response:
                if response.status // 100 == 3 and (target := response.headers.get("Location")):
                    url = url.join(URL(target))
                    continue
                if response.status != 200:
                    raise _refused(field, f"was answered with status {response.status}")
                return Media(
                    data=(data := await self._read(response, field)), mime_type=_type_of(data, response, field)
                )
        raise _refused(field, "leads from one address to the next too often")

    def _check(self, url: URL, field: str) -> None:
        """What can be seen before a connection; a name's addresses are seen by the resolver."""
        if url.scheme not in _SCHEMES and not (url.scheme == "http" and self._settings.allow_http):
            raise _refused(field, "is not an https address")
        if url.host is None or url.user is not None or url.password is not None:
            raise _refused(field, "names no host, or credentials")
        # aiohttp asks no resolver about an address.
        if (literal := address_in(url.host)) is not None and not is_public(literal, self._allowed):
            raise _refused(field, "does not lead to a public address")

    async def _read(self, response: aiohttp.ClientResponse, field: str) -> bytes:
        most = self._settings.max_bytes
        if (response.content_length or 0) > most:
            raise _refused(field, f"holds more than the {most} bytes that are fetched")
        pieces, size = [], 0
        async for piece in response.content.iter_chunked(_PIECE_BYTES):
            size += len(piece)
            if size > most:
                raise _refused(field, f"holds more than the {most} bytes that are fetched")
            pieces.append(piece)
        return b"".join(pieces)


def _type_of(data: bytes, response: aiohttp.ClientResponse, field: str) -> str:
    for at, signature, mime_type in _SIGNATURES:
        if data.startswith(signature, at):
            return mime_type
    if response.content_type in _TEXTS and _is_text(data):
        return response.content_type
    raise _refused(field, "holds neither an image, a PDF, sound, a video nor plain text")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _refused(field: str, why: str) -> InvalidRequestError:
    return InvalidRequestError.at_field(field, why)
