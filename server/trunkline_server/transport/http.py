"""HTTP to providers: what goes out, over connections that are used again."""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Final, NamedTuple, Self

import aiohttp
from yarl import URL

from trunkline_server.providers.kind import BEARER
from trunkline_server.providers.target import Provider
from trunkline_server.transport.dialing import Dialer, Origin
from trunkline_server.transport.google_auth import GoogleTokens
from trunkline_server.transport.http_exchange import MAX_HEAD_BYTES, DeadConnectionError, HttpExchange
from trunkline_server.transport.http_pool import HttpConnection, HttpPool
from trunkline_server.transport.unreachable import UnreachableError, unreachable
from trunkline_server.values.wire import WireRequest

# What a client's side of a provider call always says. Compression is not asked for: it costs the loop more than it
# saves on answers of this size, and it delays streams. A provider that compresses all the same is understood.
BASE_HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": "trunkline",
}

MAX_HEADS: Final = 1024
"""Of some dialects the model is a part of the address, and clients may name any."""

_UNAUTHORIZED: Final = 401
# https://www.rfc-editor.org/rfc/rfc9110#section-5.5: nothing that ends a header, or that somebody may take for it.
_UNFIT: Final = re.compile(r"[^\t\x20-\x7e\x80-\U0010ffff]")


class _Head(NamedTuple):
    """What all requests to one address with one credential begin with."""

    origin: Origin
    request_line: bytes
    """With the Host header."""
    headers: Mapping[str, str]
    text: bytes
    """The headers as they are sent."""


class HttpTransport:
    """Sends requests over one shared pool. Use as an async context manager."""

    def __init__(self, *, connect_timeout_s: float, google: GoogleTokens | None = None) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._google = GoogleTokens() if google is None else google
        self._pool = HttpPool(Dialer(timeout_s=connect_timeout_s))
        self._session: aiohttp.ClientSession | None = None
        self._heads: dict[tuple[str, str, int], _Head] = {}

    @property
    def session(self) -> aiohttp.ClientSession:
        """For other calls to providers, such as listing their models."""
        if self._session is None:
            raise RuntimeError("HttpTransport is used outside its context")
        return self._session

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            # `connect` counts from the look-up of the name to the end of the TLS handshake.
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout_s),
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.close()
        await self.session.close()
        await self._google.close()

    def prepare(self, provider: Provider) -> None:
        """Begins what takes a while before the first request to this provider can be sent."""
        if _by_token(provider):
            self._google.prepare(provider)

    async def open(
        self, provider: Provider, request: WireRequest, headers: Mapping[str, str], *, key_index: int = 0
    ) -> HttpExchange:
        head = self._head_of(provider, request.path, key_index)
        own = {**request.headers, **headers} if request.headers else headers
        if not _by_token(provider):
            return await self._post(provider, head, own, request.body)
        token = self._google.at_hand(provider) or await self._google.fetch(provider)
        exchange = await self._post(provider, head, {**own, **BEARER.of(token)}, request.body)
        if exchange.status != _UNAUTHORIZED:
            return exchange
        # The token ended early or was withdrawn, and nothing was done with the request: it goes out with another one.
        exchange.close()
        self._google.forget(provider, token)
        token = await self._google.fetch(provider)
        return await self._post(provider, head, {**own, **BEARER.of(token)}, request.body)

    async def _post(self, provider: Provider, head: _Head, own: Mapping[str, str], body: bytes) -> HttpExchange:
        """`own` are the headers of this request alone."""
        text = _text({**head.headers, **own}) if own else head.text
        sent = b"%b%bContent-Length: %d\r\n\r\n" % (head.request_line, text, len(body))
        try:
            return await self._send(head.origin, sent, body)
        except UnreachableError as error:
            raise unreachable(provider, error) from error

    async def _send(self, origin: Origin, head: bytes, body: bytes) -> HttpExchange:
        connection = self._pool.take(origin)
        if connection is not None:
            try:
                return await _exchange(connection, head, body)
            except DeadConnectionError:
                # The usual race with a server that closes idle connections. It says nothing about the provider, so
                # the request gets one free retry.
                pass
        exchange = await _exchange(await self._pool.connect(origin), head, body)
        exchange.resent = connection is not None
        return exchange

    def _head_of(self, provider: Provider, path: str, key_index: int) -> _Head:
        key = (provider.name, path, key_index)
        found = self._heads.get(key)
        if found is None:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            found = self._heads[key] = _head(provider, path, key_index)
        return found


def _by_token(provider: Provider) -> bool:
    """Whether it is called with a token of Google's."""
    return provider.kind.google_cloud and not provider.api_keys


async def _exchange(connection: HttpConnection, head: bytes, body: bytes) -> HttpExchange:
    exchange = connection.send(head, body)
    try:
        await exchange.began()
    except BaseException:
        exchange.close()
        raise
    return exchange


def _head(provider: Provider, path: str, key_index: int) -> _Head:
    url = URL(provider.base_url + path)
    if url.raw_host is None or url.port is None:
        raise ValueError(f"the address of provider {provider.name} names no host")
    headers = {**BASE_HEADERS, **provider.headers}
    if provider.api_keys:
        headers |= provider.kind.auth.of(provider.api_keys[key_index].reveal())
    line = f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"
    return _Head(Origin(url.raw_host, url.port, url.scheme == "https"), line.encode(), headers, _text(headers))


def _text(headers: Mapping[str, str]) -> bytes:
    """Headers as they are sent, of two with one name the later one. Raises ValueError for what cannot be sent."""
    lines = {name.lower(): f"{name}: {value}\r\n" for name, value in headers.items()}
    for name, value in headers.items():
        if _UNFIT.search(value) or _UNFIT.search(name):
            raise ValueError(f"the header {name!r} holds what no header can")
    return "".join(lines.values()).encode()
