"""Virtual keys: made here, kept as digests, recognized on every call."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

from trunkline.errors import BadKeyError
from trunkline.secret import Secret
from trunkline_server.config.settings import KeySettings
from trunkline_server.values.principal import ANONYMOUS, Principal

KEY_PREFIX: Final = "tl-"
KEY_BYTES: Final = 32
"""Random bytes of a new key."""
MIN_SECRET_CHARS: Final = 20
"""Fewest characters of a secret whose digest is worth keeping: a shorter one can be found by trying."""

_SCHEME = "sha256:"


class KeyRing:
    """Recognizes callers by their keys.

    One lookup of the whole digest: how long it takes tells nothing about a key, because nobody can choose the digest
    that a guess has.
    """

    def __init__(self, keys: Sequence[KeySettings]) -> None:
        self._principals = {
            key.digest: Principal(key=key.name, project=key.project, team=key.team, models=key.models, debug=key.debug)
            for key in keys
        }

    def authenticate(self, credential: Secret) -> Principal:
        """Who holds this key; ANONYMOUS, whatever was sent, if there are no keys at all.

        Raises BadKeyError for a key that is missing or unknown.
        """
        if not self._principals:
            return ANONYMOUS
        if not credential:
            raise BadKeyError("no key was sent: send yours as the header 'Authorization: Bearer <key>'")
        principal = self._principals.get(digest_of(credential))
        if principal is None:
            raise BadKeyError("this key is not known: check it, or ask whoever runs this gateway for one")
        return principal


def digest_of(secret: Secret) -> str:
    """What the configuration keeps of a key.

    Plain SHA-256 is right for keys that are drawn at random: salt and slow hashes protect secrets that can be guessed,
    256 random bits cannot be, and a slow hash on every call would be a way to overload the gateway.
    """
    # Whatever a header held has a digest: bytes that are no UTF-8 arrive as lone surrogates.
    return _SCHEME + hashlib.sha256(secret.reveal().encode("utf-8", "surrogatepass")).hexdigest()


def new_key() -> Secret:
    """A new key: "tl-" and 32 random bytes in URL-safe base64, 46 characters in all."""
    return Secret(KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES))
