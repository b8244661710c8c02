"""The guard of tests/conftest.py refuses what it should, and only that."""

import asyncio
import os
import socket
from collections.abc import Callable

import aiohttp
import pytest

import network_guard

# Reserved for documentation by RFC 5737, RFC 3849 and RFC 6761: even without the guard nobody answers.
FAR_IPV4, FAR_IPV6, FAR_NAME = "192.0.2.1", "2001:db8::1", "gateway.invalid"


def connect(family: socket.AddressFamily, address: tuple[str, int]) -> None:
    with socket.socket(family) as sock:
        sock.connect(address)


def send_datagram(address: tuple[str, int]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", address)


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(lambda: connect(socket.AF_INET, (FAR_IPV4, 9)), id="ipv4"),
        pytest.param(lambda: connect(socket.AF_INET6, (FAR_IPV6, 9)), id="ipv6"),
        pytest.param(lambda: send_datagram((FAR_IPV4, 9)), id="udp"),
        pytest.param(lambda: socket.getaddrinfo(FAR_NAME, 9), id="name"),
        pytest.param(lambda: asyncio.run(asyncio.open_connection(FAR_IPV4, 9)), id="asyncio"),
    ],
)
def test_another_machine_is_refused(reach: Callable[[], object]) -> None:
    with pytest.raises(network_guard.NetworkRefusedError):
        reach()
    assert len(network_guard.refused) == 1
    network_guard.refused.clear()


async def test_aiohttp_is_refused_another_machine() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(network_guard.NetworkRefusedError):
            await session.get(f"http://{FAR_IPV4}:9/")
    assert network_guard.refused
    network_guard.refused.clear()


async def test_loopback_is_served() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()
    assert network_guard.refused == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", b"localhost", "", None, "0.0.0.0"])  # noqa: S104 an address to judge, nothing binds to it
def test_this_machine_is_local(host: str | bytes | None) -> None:
    assert network_guard.is_local(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "::2", "localhost.example", "model.local"])
def test_another_machine_is_not_local(host: str) -> None:
    assert not network_guard.is_local(host)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTPS_PROXY", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_the_developers_environment_is_out_of_sight(name: str) -> None:
    assert name not in os.environ
