"""Usage of Claude's wire as the normal form."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import Usage
from trunkline_server.dialects.json_values import Json, count_in, json_text

_LIFETIMES: Final[Mapping[str, int]] = {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 3600}
_FAST: Final = "fast"
# As the engine estimates where a provider says nothing.
_CHARS_PER_TOKEN: Final = 4


def fill_usage(usage: Usage, raw: Json) -> None:
    """Puts a `usage` into the normal form. Its input excludes what was read from the cache and written to it."""
    read, written = count_in(raw, "cache_read_input_tokens"), count_in(raw, "cache_creation_input_tokens")
    usage.input_tokens = (count_in(raw, "input_tokens") or 0) + (read or 0) + (written or 0)
    usage.output_tokens = count_in(raw, "output_tokens") or 0
    if read is not None:
        usage.cache_read_tokens = read
    if written is not None:
        usage.cache_write_tokens = written
        _put_lifetimes(usage, raw.get("cache_creation"), written)
    details = raw.get("output_tokens_details")
    if type(details) is dict and (thought := count_in(details, "thinking_tokens")) is not None:
        usage.reasoning_tokens = thought
    tools = raw.get("server_tool_use")
    if type(tools) is dict:
        for name in tools:
            if (count := count_in(tools, name)) is not None:
                usage.server_tool_calls[name] = count
    usage.native = json_text(raw)


def estimate_rest(usage: Usage, content_chars: int) -> None:
    """Of an answer that was cut off the output was told at its beginning only: it is made as long as what came."""
    usage.output_tokens = max(usage.output_tokens, -(-content_chars // _CHARS_PER_TOKEN))
    usage.estimated = True


def tier_of(raw: Json) -> str:
    """The speed and price class served, as the provider calls it."""
    speed, tier = raw.get("speed"), raw.get("service_tier")
    if speed == _FAST:
        return _FAST
    return tier if type(tier) is str else ""


def _put_lifetimes(usage: Usage, raw: object, written: int) -> None:
    """Writes by lifetime, if they add up to what was written."""
    if type(raw) is not dict:
        return
    found = {ttl_s: count for name, ttl_s in _LIFETIMES.items() if (count := count_in(raw, name))}
    if sum(found.values()) == written:
        for ttl_s, count in found.items():
            usage.cache_writes.add(ttl_s=ttl_s, tokens=count)
