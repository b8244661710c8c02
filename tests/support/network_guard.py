"""Keeps tests on this machine: a connection to anything but loopback is refused and fails the test.

It sees what goes through Python's socket module, which is asyncio and aiohttp as well; sockets that gRPC's core or
libuv open themselves it cannot see.
"""

import ipaddress
import sys
from collections.abc import Sequence
from typing import Any

# Audit events of the socket module, and where their address stands; see the library reference, "Audit events table".
WATCHED = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}

refused: list[str] = []
"""What was refused since it was last cleared. A test fails by this even where the code under test hid the error."""


class NetworkRefusedError(Exception):
    """A test reached for another machine. Deliberately no OSError: nobody should take it for an outage."""


def install() -> None:
    """Watches this process from now on; it cannot be undone."""
    sys.addaudithook(_audit)


def is_local(host: str | bytes | None) -> bool:
    """Whether the host is this machine, by name or address. None and the empty name mean any address of this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _audit(event: str, arguments: Sequence[Any]) -> None:
    position = WATCHED.get(event)
    if position is None:
        return
    address = arguments[position]
    # An AF_UNIX address is a path, and nothing but inet addresses are tuples that begin with a host.
    if event != "socket.getaddrinfo":
        if not isinstance(address, tuple):
            return
        address = address[0]
    if not is_local(address):
        refused.append(f"{event} {address}")
        raise NetworkRefusedError(f"tests stay on loopback; this one tried {event} to {address}")
