"""Failures to reach a provider, told without its address: clients see this text."""

import ssl

import aiohttp

from trunkline.errors import ProviderUnavailableError
from trunkline_server.providers.target import Provider

NO_NAME = "its host name does not resolve"
BAD_CERTIFICATE = "its TLS certificate is not valid"
NO_HANDSHAKE = "the TLS handshake failed"
TOO_LATE = "no connection within the time limit"
REFUSED = "the connection was refused"
CLOSED = "it closed the connection before it answered"
UNREADABLE = "its answer could not be read"


class UnreachableError(Exception):
    """A call that came to no answer."""

    def __init__(self, reason: str) -> None:
        """`reason` is one of those above."""
        super().__init__(reason)
        self.reason = reason


def unreachable(provider: Provider, error: BaseException) -> ProviderUnavailableError:
    """The failure as the engine goes by it."""
    return ProviderUnavailableError(f"provider {provider.name} cannot be reached: {_reason(error)}")


def _reason(error: BaseException) -> str:
    match error:
        case UnreachableError():
            return error.reason
        case aiohttp.ClientConnectorDNSError():
            return NO_NAME
        case aiohttp.ClientConnectorCertificateError():
            return BAD_CERTIFICATE
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return NO_HANDSHAKE
        case TimeoutError():
            return TOO_LATE
        case aiohttp.ClientConnectorError():
            return REFUSED
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            return CLOSED
        case _:
            return UNREADABLE
