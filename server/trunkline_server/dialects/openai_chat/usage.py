"""Usage of the chat completions wire, in all its vendors' spellings, as the normal form."""

from typing import Final, TypeGuard

from trunkline.v1 import ModalityTokens, Usage
from trunkline_server.dialects.json_values import Json, count_in
from trunkline_server.dialects.usage_text import usage_text

# What OpenAI itself says; only who says more is looked at for more.
_OPENAI_MEMBERS: Final = frozenset(
    {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"}
)
# Where copies of the wire put what OpenAI calls prompt_tokens_details.cached_tokens: DeepSeek, Moonshot, Mistral.
_CACHE_READ_NAMES: Final = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
_CACHE_WRITE_TTLS: Final = {
    "ttl_5m_tokens": 300,
    "ttl_30m_tokens": 1800,
    "ttl_1h_tokens": 3600,
    "ttl_12h_tokens": 43200,
}
_MODALITIES: Final = {"text_tokens": "text", "image_tokens": "image", "audio_tokens": "audio", "video_tokens": "video"}
_SERVER_TOOLS_NAMES: Final = ("server_tool_use", "server_tool_use_details")


def is_usage(raw: object) -> TypeGuard[Json]:
    """Whether this tells what was used: some vendors send an empty object until they know."""
    return isinstance(raw, dict) and (raw.get("prompt_tokens") is not None or raw.get("completion_tokens") is not None)


def fill_usage(usage: Usage, raw: Json, source: bytes) -> None:
    """Puts a vendor's usage object into the normal form; `source` is the JSON text that it was read from."""
    prompt, completion = _details(raw, "prompt_tokens_details"), _details(raw, "completion_tokens_details")
    usage.input_tokens = count_in(raw, "prompt_tokens") or 0
    usage.output_tokens = count_in(raw, "completion_tokens") or 0
    reasoning = _first(count_in(completion, "reasoning_tokens"), count_in(raw, "reasoning_tokens"))
    if reasoning is not None:
        usage.reasoning_tokens = reasoning
        if count_in(raw, "total_tokens") == usage.input_tokens + usage.output_tokens + reasoning:
            # xAI leaves reasoning out of completion_tokens; only its total tells. With none at all nothing changes.
            usage.output_tokens += reasoning
    cache_read = count_in(prompt, "cached_tokens")
    if not raw.keys() <= _OPENAI_MEMBERS:
        cache_read = _first(cache_read, *(count_in(raw, name) for name in _CACHE_READ_NAMES))
        for holder in _SERVER_TOOLS_NAMES:
            calls = _details(raw, holder)
            for name in calls:
                if (count := count_in(calls, name)) is not None:
                    usage.server_tool_calls[name] = count
    if cache_read is not None:
        usage.cache_read_tokens = cache_read
    if prompt:
        if (cache_write := count_in(prompt, "cache_write_tokens")) is not None:
            usage.cache_write_tokens = cache_write
        if by_ttl := _details(prompt, "cache_write_tokens_details"):
            for name, ttl_s in _CACHE_WRITE_TTLS.items():
                if tokens := count_in(by_ttl, name):
                    usage.cache_writes.add(ttl_s=ttl_s, tokens=tokens)
        if not _MODALITIES.keys().isdisjoint(prompt):
            _fill_modalities(usage.input_by_modality, prompt)
    if completion:
        if not _MODALITIES.keys().isdisjoint(completion):
            _fill_modalities(usage.output_by_modality, completion)
        if (accepted := count_in(completion, "accepted_prediction_tokens")) is not None:
            usage.accepted_prediction_tokens = accepted
        if (rejected := count_in(completion, "rejected_prediction_tokens")) is not None:
            usage.rejected_prediction_tokens = rejected
    usage.native = usage_text(raw, source)


def _fill_modalities(tokens: ModalityTokens, details: Json) -> None:
    for name, modality in _MODALITIES.items():
        if (count := count_in(details, name)) is not None:
            setattr(tokens, modality, count)


def _details(raw: Json, name: str) -> Json:
    value = raw.get(name)
    return value if type(value) is dict else {}


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)
