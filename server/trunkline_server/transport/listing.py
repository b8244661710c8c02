"""Which models a provider says it has."""

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeGuard

import aiohttp
import orjson

from trunkline.errors import (
    GatewayError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderSilentError,
    ProviderThrottledError,
    ProviderUnavailableError,
)
from trunkline_server.providers.target import Provider
from trunkline_server.transport.unreachable import unreachable

MAX_LISTING_BYTES: Final = 4 * 1024 * 1024
"""The longest list that was seen (OpenRouter's, with prices and descriptions) has about one MiB."""
MAX_ID_CHARS: Final = 256

_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "trunkline"}
_ERRORS: Final[Mapping[int, type[GatewayError]]] = {
    401: ProviderCredentialsError,
    402: ProviderQuotaError,
    403: ProviderCredentialsError,
    429: ProviderThrottledError,
}


_GOOGLES: Final = "models/"
_COMPLETES: Final = "generateContent"


class ListedModel(NamedTuple):
    """One entry of a provider's list."""

    id: str
    owner: str
    """What it calls `owned_by`; empty: nothing."""


class Listing(NamedTuple):
    """A provider's list of models, in its order and without repetitions."""

    models: tuple[ListedModel, ...]
    server: str
    """The Server header of the answer; empty: none."""


async def list_model_ids(session: aiohttp.ClientSession, provider: Provider, timeout_s: float) -> list[str]:
    """The ids of the models that a provider lists at GET /models, in OpenAI's form or in Google's.

    Raises the GatewayError that says why there is no list: credentials, silence, no connection, an unreadable answer.
    """
    listing = await fetch_listing(session, provider, timeout_s)
    return [model.id for model in listing.models]


async def fetch_listing(session: aiohttp.ClientSession, provider: Provider, timeout_s: float) -> Listing:
    """The list with what tells the engine behind it. Raises as `list_model_ids` does."""
    headers = {**_HEADERS, **provider.kind.listing_headers, **provider.headers}
    if provider.api_keys:
        headers |= provider.kind.auth.of(provider.api_keys[0].reveal())
    url, limit = provider.base_url + provider.kind.listing_path, asyncio.timeout(timeout_s)
    try:
        # A redirect would take the credential to another address.
        async with limit, session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                raise _refusal(provider, response.status)
            body = await read_bounded(response, MAX_LISTING_BYTES)
            server = response.headers.get("Server", "")
    except TimeoutError as error:
        if limit.expired():
            text = f"provider {provider.name} did not list its models within {timeout_s:g} s"
            raise ProviderSilentError(text) from error
        raise unreachable(provider, error) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # ValueError: a body that is not what its Content-Encoding says.
        raise unreachable(provider, error) from error
    models = None if body is None else _models(body)
    if models is None:
        raise ProviderBadAnswerError(f"provider {provider.name} answered with something else than a list of models")
    return Listing(models, server)


async def read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    """The body, or None if it is longer than that."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


def _refusal(provider: Provider, status: int) -> GatewayError:
    cls = _ERRORS.get(status, ProviderUnavailableError if status >= 500 else ProviderBadAnswerError)
    text = f"provider {provider.name} answered {status} when it was asked for its models"
    return cls(text, provider_status=status)


def _models(body: bytes) -> tuple[ListedModel, ...] | None:
    """The entries of {"data": [{"id": …}]}, or of a bare list as Together sends it; null is an empty list, as Ollama
    sends it. Google has {"models": [{"name": "models/…"}]}. Entries that are no models, or give no completions, are left
    out. None: it is no list at all.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(found, dict) and "data" in found:
        found = found["data"] or []
    elif isinstance(found, dict) and isinstance(named := found.get("models"), list) and named:
        found = [_of_google(entry) for entry in named]
    if not isinstance(found, list):
        return None
    models: dict[str, ListedModel] = {}
    for entry in found:
        if isinstance(entry, dict) and _is_id(model_id := entry.get("id")):
            owner = entry.get("owned_by")
            models.setdefault(model_id, ListedModel(model_id, owner if isinstance(owner, str) else ""))
    return tuple(models.values())


def _of_google(entry: object) -> object:
    """An entry of Google's in OpenAI's form; https://ai.google.dev/api/models#Model."""
    if not isinstance(entry, dict) or not isinstance(name := entry.get("name"), str):
        return None
    methods = entry.get("supportedGenerationMethods")
    if isinstance(methods, list) and _COMPLETES not in methods:
        return None
    return {"id": name.removeprefix(_GOOGLES), "owned_by": ""}


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and value.isprintable()
