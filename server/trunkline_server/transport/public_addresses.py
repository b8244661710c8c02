"""Which addresses on the network callers may have the gateway connect to: public ones, and those that its operator names."""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class PrivateAddressError(Exception):
    """A name or address leads to where callers may not look. The text names the host only."""


def is_public(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether it is on the public network, or in one of the `allowed` ones; what is hidden in it must be, too."""
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if isinstance(address, IPv6Address) and (inner := _hidden_in(address)):
        return all(is_public(found, allowed) for found in inner)
    return True


def address_in(host: str) -> Address | None:
    """The address that a host is, in any spelling that a system understands, such as "127.1"; None: it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


class PublicResolver(AbstractResolver):
    """Resolves names to addresses that may be connected to, and those only; aiohttp connects to what it gives.

    A name some of whose addresses may not be used is refused whole: it is a trap, or somebody's own affair.
    """

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = allowed
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises PrivateAddressError, or OSError if there is no such name."""
        found = await self._resolver.resolve(host, port, family)
        addresses = [ip_address(result["host"].partition("%")[0]) for result in found]
        if not addresses or not all(is_public(address, self._allowed) for address in addresses):
            raise PrivateAddressError(f"{host} is not a public address")
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _hidden_in(address: IPv6Address) -> Sequence[IPv4Address]:
    """The IPv4 addresses that packets to it may end up at."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    return address.teredo or ()
