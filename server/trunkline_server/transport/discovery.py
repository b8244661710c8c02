"""Finds the inference servers that run beside the gateway on this machine."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import aiohttp
import orjson
from yarl import URL

from trunkline.errors import GatewayError
from trunkline_server.providers.kinds import ProviderKind
from trunkline_server.providers.target import Provider
from trunkline_server.transport.listing import Listing, fetch_listing, read_bounded

COMPATIBLE: Final = "openai_compatible"
"""The kind of an engine that speaks OpenAI's language but does not tell which it is."""
MAX_GREETING_BYTES: Final = 4096

# A port says little (everything listens on 8000 and 8080), so an engine is taken for what it calls itself.
# vLLM: vllm/entrypoints/openai; llama.cpp: tools/server; Ollama: openai/openai.go, where models without a namespace
# belong to the "library"; LM Studio: https://lmstudio.ai/docs/developer/openai-compat;
# in SGLang it is the default of ModelCard (python/sglang/srt/entrypoints/openai/protocol.py).
_KIND_BY_OWNER: Final[Mapping[str, str]] = {
    "library": "ollama",
    "llamacpp": "llamacpp",
    "organization_owner": "lmstudio",
    "sglang": "sglang",
    "vllm": "vllm",
}
_KIND_BY_SERVER: Final[Mapping[str, str]] = {"llama.cpp": "llamacpp"}

# For engines that have no model yet, or only models of other owners: a path and the member that its answer has.
# https://docs.ollama.com/api/version, https://github.com/lmstudio-ai/lms (src/createClient.ts) and
# https://huggingface.github.io/text-generation-inference, which has no usual port but is often mapped to 8080.
_GREETINGS: Final[Mapping[str, tuple[str, str]]] = {
    "ollama": ("/api/version", "version"),
    "lmstudio": ("/lmstudio-greeting", "lmstudio"),
    "tgi": ("/info", "max_total_tokens"),
}


async def probe_local_engines(
    session: aiohttp.ClientSession,
    kinds: Iterable[ProviderKind],
    own_ports: Collection[int],
    timeout_s: float = 0.3,
) -> list[tuple[Provider, list[str]]]:
    """The engines that answer at the usual addresses of the local kinds, and the models that each has.

    All are asked at once and for `timeout_s` in all; who has not answered by then is not there. The gateway's own
    ports are left alone. An engine is named after its kind, with its port if that is not the kind's usual one; one that
    does not tell its kind is an OpenAI-compatible provider named "local-<port>".
    """
    by_name = {kind.name: kind for kind in kinds}
    addresses = {kind.base_url for kind in by_name.values() if kind.local and URL(kind.base_url).port not in own_ports}
    deadline = asyncio.get_running_loop().time() + timeout_s
    async with asyncio.TaskGroup() as group:
        probes = [group.create_task(_probe(session, address, by_name, deadline)) for address in sorted(addresses)]
    return [found for probe in probes if (found := probe.result()) is not None]


async def _probe(
    session: aiohttp.ClientSession, address: str, kinds: Mapping[str, ProviderKind], deadline: float
) -> tuple[Provider, list[str]] | None:
    stranger = Provider(name=f"local-{URL(address).port}", kind=kinds[COMPATIBLE], base_url=address)
    try:
        listing = await fetch_listing(session, stranger, deadline - asyncio.get_running_loop().time())
    except GatewayError:
        return None
    kind = kinds.get(_kind_told(listing) or await _kind_greeted(session, address, deadline) or "")
    ids = [model.id for model in listing.models]
    if kind is None:
        return stranger, ids
    name = kind.name if kind.base_url == address else f"{kind.name}-{URL(address).port}"
    return Provider(name=name, kind=kind, base_url=address), ids


def _kind_told(listing: Listing) -> str | None:
    """The kind that the list gives away."""
    if listing.server in _KIND_BY_SERVER:
        return _KIND_BY_SERVER[listing.server]
    return next((_KIND_BY_OWNER[model.owner] for model in listing.models if model.owner in _KIND_BY_OWNER), None)


async def _kind_greeted(session: aiohttp.ClientSession, address: str, deadline: float) -> str | None:
    """The kind whose own greeting is answered."""
    answers = await asyncio.gather(
        *(
            _has_member(session, str(URL(address).origin()) + path, member, deadline)
            for path, member in _GREETINGS.values()
        )
    )
    return next((kind for kind, answered in zip(_GREETINGS, answers, strict=True) if answered), None)


async def _has_member(session: aiohttp.ClientSession, url: str, member: str, deadline: float) -> bool:
    """Whether there is a JSON object with this member. LM Studio answers 200 to every path, so that proves nothing."""
    try:
        async with asyncio.timeout_at(deadline), session.get(url, allow_redirects=False) as response:
            body = await read_bounded(response, MAX_GREETING_BYTES) if response.status == 200 else None
            answer = None if body is None else orjson.loads(body)
    except (aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError, JSONDecodeError a ValueError
        return False
    return isinstance(answer, dict) and member in answer
