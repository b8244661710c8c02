"""Callers may have the gateway connect to public addresses, whatever form they come in, and to no others."""

from ipaddress import ip_address, ip_network

import pytest

from trunkline_server.transport.public_addresses import PrivateAddressError, PublicResolver, address_in, is_public

PRIVATE = (
    "0.0.0.0",  # noqa: S104 an address to refuse
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2001:0:7f00:1::",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "64:ff9b::7f00:1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2002:808:808::1"])
def test_what_is_public_is_not(address: str) -> None:
    assert is_public(ip_address(address))


def test_networks_of_the_operator_are_allowed() -> None:
    networks = [ip_network("10.1.0.0/16"), ip_network("fd00::/64")]
    allowed = [
        address
        for address in ("10.1.2.3", "10.2.0.1", "fd00::7", "fd01::1")
        if is_public(ip_address(address), networks)
    ]
    assert allowed == ["10.1.2.3", "fd00::7"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "::ffff:127.0.0.1"])
def test_odd_spellings_of_addresses_are_understood(host: str) -> None:
    address = address_in(host)
    assert address is not None
    assert not is_public(address)


def test_names_are_no_addresses() -> None:
    assert [address_in(host) for host in ("localhost", "example.com", "1.2.3.4.example.com")] == [None] * 3


async def test_a_name_of_a_private_address_is_refused() -> None:
    resolver = PublicResolver()
    try:
        with pytest.raises(PrivateAddressError):
            await resolver.resolve("localhost", 443)
    finally:
        await resolver.close()


async def test_a_name_that_is_allowed_gives_what_to_connect_to() -> None:
    resolver = PublicResolver([ip_network("127.0.0.0/8"), ip_network("::1/128")])
    try:
        found = await resolver.resolve("localhost", 443)
        assert {ip_address(result["host"]).is_loopback for result in found} == {True}
    finally:
        await resolver.close()
