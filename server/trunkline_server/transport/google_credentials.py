"""Google's credentials, by the package google-auth. All of it blocks and is slow to import: call it in a thread only."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import google.auth
import google.auth.exceptions
import google.auth.transport.requests
from google.auth import aws, external_account_authorized_user, identity_pool, impersonated_credentials, pluggable
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

# For each of the tries that google-auth makes; nothing can interrupt one, not even the end of the process.
_TIMEOUT_S: Final = 10.0
_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_OF_AWS: Final = "urn:ietf:params:aws:token-type:aws4_request"


class AccessToken(NamedTuple):
    """What proves to Google who calls."""

    text: str
    until: float
    """When it ends, Unix seconds; infinite if it is not told."""


class NoTokenError(Exception):
    """There is no token. The text says why in words that name no file, no account and no secret."""

    def __init__(self, text: str, *, passing: bool) -> None:
        super().__init__(text)
        self.passing = passing
        """Whether the next try may well get one."""


class _Credentials(Protocol):
    """What is used of google-auth's class, which is not annotated."""

    token: str | None
    expiry: datetime | None
    """In UTC, without saying so."""

    def refresh(self, request: object) -> None:
        """Gets a new token."""
        ...


class TokenSource:
    """One set of credentials: of a file or, without one, those that Google's own libraries would find."""

    def __init__(self, credentials_file: str) -> None:
        self._file = credentials_file
        self._credentials: _Credentials | None = None

    def fetch(self) -> AccessToken:
        """A new token. Raises NoTokenError."""
        try:
            if self._credentials is None:
                self._credentials = _load(self._file)
            credentials = self._credentials
            credentials.refresh(partial(google.auth.transport.requests.Request(), timeout=_TIMEOUT_S))
        except google.auth.exceptions.RefreshError as error:
            raise NoTokenError(f"Google refused the credentials{_code(error)}", passing=error.retryable) from error
        except google.auth.exceptions.DefaultCredentialsError as error:
            raise NoTokenError("there are no credentials, or they cannot be read", passing=False) from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise NoTokenError("where Google gives tokens cannot be reached", passing=True) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoTokenError("the credentials cannot be read", passing=False) from error
        expiry = credentials.expiry
        until = math.inf if expiry is None else expiry.replace(tzinfo=UTC).timestamp()
        return AccessToken(str(credentials.token), until)


def _load(credentials_file: str) -> _Credentials:
    found: _Credentials
    if not credentials_file:
        found, _ = google.auth.default(scopes=_SCOPES)
        return found
    info: Mapping[str, Any] = json.loads(Path(credentials_file).read_text(encoding="utf-8"))
    load: Callable[..., _Credentials] | None = _LOADERS.get(info["type"])
    if load is None:
        raise ValueError("it is of no type that is known")
    return load(info, scopes=_SCOPES)


def _external(info: Mapping[str, Any], *, scopes: Sequence[str]) -> _Credentials:
    """Those of another cloud or identity provider, by which of google-auth's classes reads such a file."""
    source = info.get("credential_source") or {}
    if info.get("subject_token_type") == _OF_AWS:
        cls: Any = aws.Credentials
    elif "executable" in source:
        cls = pluggable.Credentials
    else:
        cls = identity_pool.Credentials
    found: _Credentials = cls.from_info(info, scopes=scopes)
    return found


# Not by google-auth's own function for any type: it asks Google for a project that nobody wants to know.
_LOADERS: Final[Mapping[str, Callable[..., Any]]] = {
    "service_account": service_account.Credentials.from_service_account_info,
    "authorized_user": user_credentials.Credentials.from_authorized_user_info,
    "external_account": _external,
    "external_account_authorized_user": external_account_authorized_user.Credentials.from_info,
    "impersonated_service_account": impersonated_credentials.Credentials.from_impersonated_service_account_info,
}


def _code(error: google.auth.exceptions.RefreshError) -> str:
    """The code that OAuth gives, such as "invalid_grant"; the text around it may name accounts."""
    for given in error.args:
        code = given.get("error") if isinstance(given, dict) else None
        if isinstance(code, str) and code.replace("_", "").isalnum():
            return f" ({code[:64]})"
    return ""
