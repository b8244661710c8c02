"""Whom attempts go to, in the words of OpenTelemetry's conventions."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from trunkline_server.providers.target import Provider

_PORTS = {"http": 80, "https": 443}


class Peer(NamedTuple):
    """One provider as its spans name it."""

    name: str
    """gen_ai.provider.name: the provider's kind, which is named as the conventions name it where they do."""
    address: str = ""
    """server.address; empty: the provider lives in this process."""
    port: int = 0
    """server.port; 0: none."""


def peers_of(providers: Iterable[Provider]) -> dict[str, Peer]:
    """The peers of all configured providers by the provider's name."""
    return {provider.name: _peer_of(provider) for provider in providers}


def _peer_of(provider: Provider) -> Peer:
    name = provider.kind.telemetry_name or provider.kind.name
    url = urlsplit(provider.base_url)
    if not url.hostname:
        return Peer(name)
    return Peer(name, url.hostname, url.port or _PORTS.get(url.scheme, 0))
