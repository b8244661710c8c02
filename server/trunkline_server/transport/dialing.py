"""New connections to providers: the look-up of a name, TCP to the first address that answers, TLS."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

import aiohappyeyeballs

from trunkline_server.transport.unreachable import (
    BAD_CERTIFICATE,
    NO_HANDSHAKE,
    NO_NAME,
    REFUSED,
    TOO_LATE,
    UnreachableError,
)

# How long the second address waits for the first: https://www.rfc-editor.org/rfc/rfc8305#section-5
HAPPY_EYEBALLS_S: Final = 0.25
LOOK_UP_S: Final = 30.0
"""How long the addresses of a name hold."""
MAX_NAMES: Final = 1024

ProtocolT = TypeVar("ProtocolT", bound=asyncio.Protocol)


class Origin(NamedTuple):
    """Where connections lead."""

    host: str
    port: int
    tls: bool


class Dialer:
    """Opens connections, each within a limit from the look-up to the end of the handshake."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._names: dict[Origin, tuple[float, list[aiohappyeyeballs.AddrInfoType]]] = {}
        self._tls: ssl.SSLContext | None = None

    async def dial(self, origin: Origin, protocol: Callable[[], ProtocolT]) -> ProtocolT:
        """A protocol on a new connection. Raises UnreachableError."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._dial(origin, protocol)
        except TimeoutError as error:
            raise UnreachableError(TOO_LATE) from error
        except ssl.SSLCertVerificationError as error:
            raise UnreachableError(BAD_CERTIFICATE) from error
        except ssl.SSLError as error:
            raise UnreachableError(NO_HANDSHAKE) from error
        except OSError as error:
            raise UnreachableError(REFUSED) from error

    async def _dial(self, origin: Origin, protocol: Callable[[], ProtocolT]) -> ProtocolT:
        loop = asyncio.get_running_loop()
        connected = await aiohappyeyeballs.start_connection(
            await self._look_up(origin), happy_eyeballs_delay=HAPPY_EYEBALLS_S, interleave=1, loop=loop
        )
        try:
            _, made = await loop.create_connection(
                protocol,
                sock=connected,
                ssl=self._context() if origin.tls else None,
                server_hostname=origin.host if origin.tls else None,
            )
        except ConnectionError as error:
            # The other side was there, and left during the handshake.
            raise UnreachableError(NO_HANDSHAKE) from error
        return made

    async def _look_up(self, origin: Origin) -> list[aiohappyeyeballs.AddrInfoType]:
        now = asyncio.get_running_loop().time()
        known_until, found = self._names.get(origin, (0.0, []))
        if now < known_until:
            return found
        try:
            found = list(
                await asyncio.get_running_loop().getaddrinfo(
                    origin.host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
                )
            )
        except (socket.gaierror, UnicodeError) as error:
            raise UnreachableError(NO_NAME) from error
        if len(self._names) >= MAX_NAMES:
            self._names.clear()
        self._names[origin] = now + LOOK_UP_S, found
        return found

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
