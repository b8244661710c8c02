"""Usage of Gemini's wire as the normal form."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from trunkline.v1 import ModalityTokens, Usage
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import MAX_COUNT, Json, count_in, json_text

# The numbers are those of google.ai.generativelanguage's enum, which proxies send instead of its words.
_MODALITIES: Final[Mapping[object, str]] = {
    "TEXT": "text",
    1: "text",
    "IMAGE": "image",
    2: "image",
    "VIDEO": "video",
    3: "video",
    "AUDIO": "audio",
    4: "audio",
    "DOCUMENT": "document",
    5: "document",
}
_INPUT_DETAILS: Final = ("promptTokensDetails", "toolUsePromptTokensDetails")
_OUTPUT_DETAILS, _CACHE_DETAILS = "candidatesTokensDetails", "cacheTokensDetails"
_DETAILS: Final = frozenset({*_INPUT_DETAILS, _OUTPUT_DETAILS, _CACHE_DETAILS})


def fill_usage(usage: Usage, raw: Json) -> None:
    """Puts a `usageMetadata` into the normal form.

    Its prompt includes what was read from the cache but not what its own tools put in; its candidates exclude thoughts.
    """
    prompt, tools = count_in(raw, "promptTokenCount") or 0, count_in(raw, "toolUsePromptTokenCount")
    thoughts = count_in(raw, "thoughtsTokenCount")
    usage.input_tokens = _sum(prompt, tools)
    usage.output_tokens = _sum(count_in(raw, "candidatesTokenCount"), thoughts)
    if tools is not None:
        usage.tool_input_tokens = tools
    if thoughts is not None:
        usage.reasoning_tokens = thoughts
    if (cached := count_in(raw, "cachedContentTokenCount")) is not None:
        usage.cache_read_tokens = cached
    if not _DETAILS.isdisjoint(raw):
        _fill_details(usage, raw, thoughts)
    with suppress(MalformedFrameError):  # it is nested too deeply; the counts were not
        usage.native = json_text(raw)


def _fill_details(usage: Usage, raw: Json, thoughts: int | None) -> None:
    """The counts by kind of content."""
    for name in _INPUT_DETAILS:
        _add(raw, name, usage, "input_by_modality")
    if _add(raw, _OUTPUT_DETAILS, usage, "output_by_modality") and thoughts:
        # They are told apart nowhere, and are text.
        usage.output_by_modality.text = _sum(usage.output_by_modality.text, thoughts)
    _add(raw, _CACHE_DETAILS, usage, "cache_read_by_modality")


def _sum(one: int | None, other: int | None) -> int:
    """Of two counts, as far as it can be told."""
    return min((one or 0) + (other or 0), MAX_COUNT)


def _add(raw: Json, name: str, usage: Usage, field: str) -> bool:
    """Adds the counts of one list to one of the usage's splits; False if there is no such list."""
    details = raw.get(name)
    if type(details) is not list:
        return False
    tokens: ModalityTokens = getattr(usage, field)
    for entry in details:
        if type(entry) is not dict:
            continue
        told = entry.get("modality")
        modality = _MODALITIES.get(told) if type(told) in (str, int) else None
        count = count_in(entry, "tokenCount")
        if modality is not None and count is not None:
            setattr(tokens, modality, _sum(getattr(tokens, modality), count))
    return True
