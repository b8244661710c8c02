import pytest

from trunkline_server.providers.kinds import ProviderKind
from trunkline_server.providers.target import Provider
from trunkline_server.telemetry.peers import Peer, peers_of


@pytest.mark.parametrize(
    ("base_url", "peer"),
    [
        ("https://api.openai.com/v1", Peer("openai", "api.openai.com", 443)),
        ("http://engine.local/v1", Peer("openai", "engine.local", 80)),
        ("http://127.0.0.1:8000", Peer("openai", "127.0.0.1", 8000)),
        ("http://[::1]:8000/v1", Peer("openai", "::1", 8000)),
        ("https://user:secret@proxy.example:8443/v1", Peer("openai", "proxy.example", 8443)),
        ("", Peer("openai", "", 0)),
    ],
)
def test_a_provider_is_named_by_its_kind_and_address(base_url: str, peer: Peer) -> None:
    kind = ProviderKind(name="openai", dialect="openai_chat")
    assert peers_of([Provider(name="main", kind=kind, base_url=base_url)]) == {"main": peer}
