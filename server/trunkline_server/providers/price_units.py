"""What providers count and bill by: the units of a price list, and where usage tells how many there were."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from trunkline.v1 import Usage

UNKNOWN: Final = -1
"""A count that would matter and is not told."""

# What server tools are called that are billed as searches of the web, by their names in Usage.server_tool_calls.
_WEB_SEARCHES: Final = ("web_search_requests", "web_search", "web_search_call")

_M5_S: Final = 300
_H1_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Unit:
    """Something that is counted and priced."""

    usage_key: str
    """Its name in genai-prices."""
    within: frozenset[str]
    """All units that it is a part of: what is billed as this is not billed as those."""
    count: Callable[[Usage], int]
    """How many of it were used; `UNKNOWN` if that is not told and 0 would be wrong."""
    direction: str = ""
    """Whether it is "input" or "output"; empty: neither."""


def _written_for(ttl_s: int) -> Callable[[Usage], int]:
    return lambda usage: sum(write.tokens for write in usage.cache_writes if write.ttl_s == ttl_s)


def _cached(modality: str) -> Callable[[Usage], int]:
    def count(usage: Usage) -> int:
        split = usage.cache_read_by_modality
        if split.HasField(modality):  # type: ignore[arg-type]  # wants a literal
            return int(getattr(split, modality))
        # Of cached input and, say, sound it must be known what is both.
        both = usage.cache_read_tokens and getattr(usage.input_by_modality, modality)
        return UNKNOWN if both else 0

    return count


UNITS: Final[Mapping[str, Unit]] = {
    # The most particular come first: what they count is taken out of what stands below.
    "cache_read_audio": Unit(
        "cache_audio_read_tokens", frozenset(("cache_read", "input_audio", "input")), _cached("audio"), "input"
    ),
    "cache_read_image": Unit(
        "cache_image_read_tokens", frozenset(("cache_read", "input_image", "input")), _cached("image"), "input"
    ),
    "cache_write_5m": Unit("cache_write_5m_tokens", frozenset(("cache_write", "input")), _written_for(_M5_S), "input"),
    "cache_write_1h": Unit("cache_write_1h_tokens", frozenset(("cache_write", "input")), _written_for(_H1_S), "input"),
    "cache_read": Unit("cache_read_tokens", frozenset(("input",)), lambda usage: usage.cache_read_tokens, "input"),
    "cache_write": Unit("cache_write_tokens", frozenset(("input",)), lambda usage: usage.cache_write_tokens, "input"),
    "input_audio": Unit(
        "input_audio_tokens", frozenset(("input",)), lambda usage: usage.input_by_modality.audio, "input"
    ),
    "input_image": Unit(
        "input_image_tokens", frozenset(("input",)), lambda usage: usage.input_by_modality.image, "input"
    ),
    "input_video": Unit(
        "input_video_tokens", frozenset(("input",)), lambda usage: usage.input_by_modality.video, "input"
    ),
    "output_audio": Unit(
        "output_audio_tokens", frozenset(("output",)), lambda usage: usage.output_by_modality.audio, "output"
    ),
    "output_image": Unit(
        "output_image_tokens", frozenset(("output",)), lambda usage: usage.output_by_modality.image, "output"
    ),
    "output_video": Unit(
        "output_video_tokens", frozenset(("output",)), lambda usage: usage.output_by_modality.video, "output"
    ),
    "reasoning": Unit(
        "output_reasoning_tokens", frozenset(("output",)), lambda usage: usage.reasoning_tokens, "output"
    ),
    "input": Unit("input_tokens", frozenset(), lambda usage: usage.input_tokens, "input"),
    "output": Unit("output_tokens", frozenset(), lambda usage: usage.output_tokens, "output"),
    "web_searches": Unit(
        "web_searches",
        frozenset(),
        lambda usage: sum(usage.server_tool_calls[name] for name in _WEB_SEARCHES if name in usage.server_tool_calls),
    ),
    "requests": Unit("requests", frozenset(), lambda _: 1),
}
"""All units by name."""
