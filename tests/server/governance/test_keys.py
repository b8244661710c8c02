"""Virtual keys: who is recognized, who is not, and what is said."""

import hashlib
import re

import pytest

from trunkline.errors import BadKeyError
from trunkline.secret import NO_SECRET, Secret
from trunkline_server.config.settings import KeySettings, Settings
from trunkline_server.governance.keys import KeyRing, digest_of, new_key
from trunkline_server.values.principal import ANONYMOUS, Principal

ALICE = Secret("tl-alice-0123456789abcdef")
BOB = Secret("tl-bob-0123456789abcdef")
RING = KeyRing(
    [
        KeySettings(name="alice", digest=digest_of(ALICE), project="search", team="web", models=("fast",)),
        KeySettings(name="bob", digest=digest_of(BOB)),
    ]
)


def test_a_key_is_recognized_with_all_that_is_known_of_it() -> None:
    assert RING.authenticate(ALICE) == Principal(key="alice", project="search", team="web", models=("fast",))
    assert RING.authenticate(BOB) == Principal(key="bob")


@pytest.mark.parametrize(
    "credential",
    [
        ALICE.reveal() + " ",
        ALICE.reveal()[:-1],
        ALICE.reveal().upper(),
        digest_of(ALICE),
        digest_of(ALICE).removeprefix("sha256:"),
        "alice",
        "\udc80\ud800",
        "\x00",
    ],
)
def test_nothing_else_is(credential: str) -> None:
    with pytest.raises(BadKeyError) as caught:
        RING.authenticate(Secret(credential))
    assert caught.value.message == "this key is not known: check it, or ask whoever runs this gateway for one"


def test_a_missing_key_is_told_apart() -> None:
    with pytest.raises(BadKeyError, match="no key was sent: send yours as the header 'Authorization: Bearer <key>'"):
        RING.authenticate(NO_SECRET)


@pytest.mark.parametrize("credential", [NO_SECRET, ALICE])
def test_without_keys_everybody_is_anonymous(credential: Secret) -> None:
    assert KeyRing(()).authenticate(credential) == ANONYMOUS


def test_a_digest_is_sha256_as_everybody_computes_it() -> None:
    assert digest_of(Secret("abc")) == f"sha256:{hashlib.sha256(b'abc').hexdigest()}"
    assert Settings.model_validate({"keys": [{"name": "a", "digest": digest_of(ALICE)}]}).keys[0].name == "a"


def test_new_keys_are_random_and_fit_a_header() -> None:
    keys = {new_key().reveal() for _ in range(100)}
    assert len(keys) == 100
    assert [key for key in keys if not re.fullmatch(r"tl-[A-Za-z0-9_-]{43}", key)] == []


def test_the_ring_does_not_show_keys() -> None:
    with pytest.raises(BadKeyError) as caught:
        RING.authenticate(Secret("sk-Canary-0123456789"))
    assert "Canary" not in f"{caught.value!r} {caught.value.to_failure()}"
