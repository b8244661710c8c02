"""HTTP to providers: one connection pool for all of them, and one answer as it is being read."""

import asyncio
import io
import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from trunkline.errors import GatewayError, ProviderBadAnswerError, ProviderUnavailableError
from trunkline_server.providers.kind import BEARER
from trunkline_server.providers.target import Provider
from trunkline_server.transport.google_auth import GoogleTokens
from trunkline_server.values.wire import WireRequest

# aiohttp warns of larger bodies as bytes, because it writes them in one piece.
LARGE_BODY_BYTES: Final = 1024 * 1024

# What a client's side of a provider call always says. Compression is not asked for: it costs the loop more than it
# saves on answers of this size, and it delays streams. A provider that compresses all the same is understood.
BASE_HEADERS: Final = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "trunkline"}

# Of some dialects the model is a part of the address, and clients may name any.
MAX_URLS: Final = 1024

_UNAUTHORIZED: Final = 401

# Some providers send long ones, such as content security policies; aiohttp's own limit is 8190.
MAX_HEADER_BYTES: Final = 32 * 1024

_LINE: ContextVar["_Line | None"] = ContextVar("line", default=None)
"""The connection that whoever asked got last."""


class HttpTransport:
    """Sends requests over one shared pool. Use as an async context manager."""

    def __init__(self, *, connect_timeout_s: float, google: GoogleTokens | None = None) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._google = GoogleTokens() if google is None else google
        self._session: aiohttp.ClientSession | None = None
        self.lingering: set[aiohttp.ClientResponse] = set()
        """Answers whose end is still to come; see HttpExchange.close."""
        self._headers: dict[tuple[str, int], dict[str, str]] = {}
        self._urls: dict[tuple[str, str], URL] = {}

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pool itself, for other calls to providers such as listing their models."""
        if self._session is None:
            raise RuntimeError("HttpTransport is used outside its context")
        return self._session

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, keepalive_timeout=30, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            # `connect` counts from the look-up of the name to the end of the TLS handshake.
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout_s),
            auto_decompress=True,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for response in list(self.lingering):
            response.close()
        await self.session.close()
        await self._google.close()

    def prepare(self, provider: Provider) -> None:
        """Begins what takes a while before the first request to this provider can be sent."""
        if _by_token(provider):
            self._google.prepare(provider)

    async def open(
        self, provider: Provider, request: WireRequest, headers: Mapping[str, str], *, key_index: int = 0
    ) -> "HttpExchange":
        all_headers = self._headers_of(provider, key_index)
        if headers or request.headers:
            all_headers = {**all_headers, **request.headers, **headers}
        url = self._url_of(provider, request.path)
        if not _by_token(provider):
            return await self._send(provider, url, request.body, all_headers)
        token = self._google.at_hand(provider) or await self._google.fetch(provider)
        exchange = await self._send(provider, url, request.body, {**all_headers, **BEARER.of(token)})
        if exchange.status != _UNAUTHORIZED:
            return exchange
        # The token ended early or was withdrawn, and nothing was done with the request: it goes out with another one.
        exchange.close()
        self._google.forget(provider, token)
        token = await self._google.fetch(provider)
        return await self._send(provider, url, request.body, {**all_headers, **BEARER.of(token)})

    async def _send(self, provider: Provider, url: URL, body: bytes, headers: Mapping[str, str]) -> "HttpExchange":
        try:
            try:
                exchange = await self._post(url, body, headers)
            except aiohttp.ClientConnectionError as error:
                if not _was_dead(error):
                    raise
                exchange = await self._post(url, body, headers)
                exchange.resent = True
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(provider, error) from error
        return exchange

    async def _post(self, url: URL, body: bytes, headers: Mapping[str, str]) -> "HttpExchange":
        began_ns = time.monotonic_ns()
        data = _Body(body) if len(body) < LARGE_BODY_BYTES else io.BytesIO(body)
        # A redirect would take the prompt to another address.
        response = await self.session.post(url, data=data, headers=headers, allow_redirects=False)
        exchange = HttpExchange(response, self)
        if (line := _LINE.get()) is not None:
            sent_ns = data.sent_ns if isinstance(data, _Body) and data.sent_ns else began_ns
            exchange.waited_ns = max(0, line.received_ns - sent_ns) + line.connect_ns
            line.timed = False
        return exchange

    def _headers_of(self, provider: Provider, key_index: int) -> dict[str, str]:
        found = self._headers.get((provider.name, key_index))
        if found is None:
            found = {**BASE_HEADERS, **provider.headers}
            if provider.api_keys:
                found |= provider.kind.auth.of(provider.api_keys[key_index].reveal())
            self._headers[provider.name, key_index] = found
        return found

    def _url_of(self, provider: Provider, path: str) -> URL:
        found = self._urls.get((provider.name, path))
        if found is None:
            if len(self._urls) >= MAX_URLS:
                self._urls.clear()
            found = self._urls[provider.name, path] = URL(provider.base_url + path)
        return found


class HttpExchange:
    """One answer of a provider over HTTP."""

    __slots__ = ("_response", "_transport", "headers", "resent", "status", "waited_ns")

    def __init__(self, response: aiohttp.ClientResponse, transport: HttpTransport) -> None:
        self._response = response
        self._transport = transport
        self.resent = False
        self.waited_ns = 0
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except GatewayError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: a body that is not what its Content-Encoding says.
            raise ProviderBadAnswerError("the provider's answer broke off") from error

    def fail(self, error: Exception) -> None:
        self._response.content.set_exception(error)
        self._response.close()

    def close(self, *, linger_s: float = 0) -> None:
        if linger_s <= 0 or self._response.content.at_eof():
            self._response.close()
        else:
            # aiohttp gives the connection back by itself as soon as the answer's end arrives.
            self._transport.lingering.add(self._response)
            asyncio.get_running_loop().call_later(linger_s, self._end_lingering)

    def _end_lingering(self) -> None:
        self._transport.lingering.discard(self._response)
        self._response.close()


class _Body(aiohttp.BytesPayload):
    """A request body that knows when it was sent."""

    def __init__(self, value: bytes) -> None:
        super().__init__(value)
        self.sent_ns = 0

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        await super().write_with_length(writer, content_length)
        self.sent_ns = time.monotonic_ns()


class _Line(asyncio.Protocol):
    """Stands between a connection and aiohttp's protocol, and knows when an answer began."""

    __slots__ = ("_protocol", "connect_ns", "received_ns", "reused", "timed")

    def __init__(self, protocol: asyncio.Protocol, connect_ns: int) -> None:
        self._protocol = protocol
        self.connect_ns = connect_ns
        """How long connecting took; 0 once it is used again."""
        self.received_ns = 0
        """When the last piece came while it was `timed`."""
        self.timed = True
        """Whether an answer has yet to begin: of the pieces that follow, which may be many, nobody asks the time."""
        self.reused = False

    def data_received(self, data: bytes) -> None:
        if self.timed:
            self.received_ns = time.monotonic_ns()
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


class _Connector(aiohttp.TCPConnector):
    """A pool that tells whoever asks what is known of the connection it gives: _LINE."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 aiohttp's own signature
    ) -> Connection:
        began_ns = time.monotonic_ns()
        connection = await super().connect(req, traces, timeout)
        transport = connection.transport
        if transport is None or connection.protocol is None:
            return connection
        line = transport.get_protocol()
        if isinstance(line, _Line):
            line.reused, line.timed, line.connect_ns = True, True, 0
        else:
            line = _Line(connection.protocol, time.monotonic_ns() - began_ns)
            transport.set_protocol(line)
        _LINE.set(line)
        return connection


def _by_token(provider: Provider) -> bool:
    """Whether it is called with a token of Google's."""
    return provider.kind.google_cloud and not provider.api_keys


def _was_dead(error: aiohttp.ClientConnectionError) -> bool:
    """Whether a connection that was used before died before a byte of the answer came.

    That is the usual race with a server that closes idle ones. It says nothing about the provider, so the request gets
    one free retry.
    """
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ServerTimeoutError():
            return False  # there was no connection
        case aiohttp.ServerDisconnectedError():
            # Otherwise the message is what had come of the answer.
            return _was_reused() and isinstance(error.message, str)
        case OSError():
            return _was_reused()
        case _:
            return False


def _was_reused() -> bool:
    line = _LINE.get()
    return line is not None and line.reused


def unreachable(provider: Provider, error: BaseException) -> ProviderUnavailableError:
    """The failure to reach a provider, told without its address: clients see this text."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            reason = "its host name does not resolve"
        case aiohttp.ClientConnectorCertificateError():
            reason = "its TLS certificate is not valid"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            reason = "the TLS handshake failed"
        case TimeoutError():
            reason = "no connection within the time limit"
        case aiohttp.ClientConnectorError():
            reason = "the connection was refused"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            reason = "it closed the connection before it answered"
        case _:
            reason = "its answer could not be read"
    return ProviderUnavailableError(f"provider {provider.name} cannot be reached: {reason}")
