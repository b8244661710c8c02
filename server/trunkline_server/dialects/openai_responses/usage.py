"""Usage of the Responses wire as the normal form."""

from typing import Final, TypeGuard

from trunkline.v1 import Usage
from trunkline_server.dialects.json_values import Json, count_in
from trunkline_server.dialects.usage_text import usage_text

_CACHE_WRITE_TTLS: Final = {"ttl_30m_tokens": 1800, "ttl_12h_tokens": 43200}


def is_usage(raw: object) -> TypeGuard[Json]:
    """Whether this tells what was used."""
    return isinstance(raw, dict) and (raw.get("input_tokens") is not None or raw.get("output_tokens") is not None)


def fill_usage(usage: Usage, raw: Json, source: bytes) -> None:
    """Puts a usage object into the normal form; `source` is the JSON text that it was read from."""
    read, written = _details(raw, "input_tokens_details"), _details(raw, "output_tokens_details")
    usage.input_tokens = count_in(raw, "input_tokens") or 0
    usage.output_tokens = count_in(raw, "output_tokens") or 0
    if (reasoning := count_in(written, "reasoning_tokens")) is not None:
        usage.reasoning_tokens = reasoning
    if (cache_read := count_in(read, "cached_tokens")) is not None:
        usage.cache_read_tokens = cache_read
    if (cache_write := count_in(read, "cache_write_tokens")) is not None:
        usage.cache_write_tokens = cache_write
    if by_ttl := _details(read, "cache_write_tokens_details"):
        for name, ttl_s in _CACHE_WRITE_TTLS.items():
            if tokens := count_in(by_ttl, name):
                usage.cache_writes.add(ttl_s=ttl_s, tokens=tokens)
    usage.native = usage_text(raw, source)


def fill_tool_usage(usage: Usage, raw: Json) -> None:
    """Adds how often tools of the provider were called, from the answer's `tool_usage`."""
    for tool, counts in raw.items():
        if type(counts) is dict and (requests := count_in(counts, "num_requests")):
            usage.server_tool_calls[f"{tool}_requests"] = requests


def _details(raw: Json, name: str) -> Json:
    value = raw.get(name)
    return value if type(value) is dict else {}
