"""Tokens as the GenAI conventions count them: one form that backends know today, another that is the newest.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md
"""

from collections.abc import Sequence
from typing import Final, Protocol

from trunkline.v1 import Usage
from trunkline_server.telemetry import names
from trunkline_server.telemetry.instruments import Counter, Description, Histogram, Instruments, Values

TOKENS: Final = tuple(4**power for power in range(14))

MODALITY: Final = "gen_ai.token.modality"
ANY_MODALITY: Final = "unknown"
"""Of tokens that no provider has split, as most do not, or that stand for what the conventions have no word for."""
_OF_EVERY_ANSWER: Final = ("input_tokens", "output_tokens")
_MODALITIES: Final = ("text", "image", "audio")
_SPLITS: Final = {
    "input_tokens": "input_by_modality",
    "output_tokens": "output_by_modality",
    "cache_read_tokens": "cache_read_by_modality",
}

_COUNTERS: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read.input_tokens",
    "cache_write_tokens": "cache_write.input_tokens",
    "reasoning_tokens": "reasoning.output_tokens",
}


class TokenMetrics(Protocol):
    """One form of counting."""

    def add(self, peer: Values, response_model: str, usage: Usage) -> None:
        """What one attempt used."""
        ...

    def add_none(self, peer: Values) -> None:
        """An attempt failed and used nothing that anybody knows of."""
        ...


class TokensOfToday:
    """`gen_ai.client.token.usage`: how many tokens operations take, input and output as an attribute."""

    def __init__(self, instruments: Instruments, peer_attributes: Sequence[str]) -> None:
        self._usage = Histogram(
            Description(
                name=names.TOKEN_USAGE_METRIC,
                unit="{token}",
                text="Number of input and output tokens used.",
                attributes=(*peer_attributes, names.RESPONSE_MODEL, names.GEN_AI_TOKEN_TYPE),
            ),
            TOKENS,
        )
        instruments.add(self._usage)

    def add(self, peer: Values, response_model: str, usage: Usage) -> None:
        self._usage.at((*peer, response_model, "input")).add(usage.input_tokens)
        self._usage.at((*peer, response_model, "output")).add(usage.output_tokens)

    def add_none(self, peer: Values) -> None:
        pass


class NewestTokens:
    """`gen_ai.client.inference.usage.*`: one counter for each kind, and how many an operation takes."""

    def __init__(self, instruments: Instruments, peer_attributes: Sequence[str]) -> None:
        own = (*peer_attributes, names.RESPONSE_MODEL)
        self._counters = {
            field: Counter(
                Description(
                    name=f"gen_ai.client.inference.usage.{name}",
                    unit="{token}",
                    text=f"Tokens used: {name}.",
                    attributes=(*own, MODALITY),
                )
            )
            for field, name in _COUNTERS.items()
        }
        self._operations = {
            field: Histogram(
                Description(
                    name=f"gen_ai.client.inference.operation.{field}",
                    unit="{token}",
                    text=f"Tokens that an operation took: {field}.",
                    attributes=own,
                ),
                TOKENS,
            )
            for field in _OF_EVERY_ANSWER
        }
        instruments.add(*self._counters.values(), *self._operations.values())

    def add(self, peer: Values, response_model: str, usage: Usage) -> None:
        own = (*peer, response_model)
        for field, counter in self._counters.items():
            left = getattr(usage, field)
            if (split := _SPLITS.get(field)) and usage.HasField(split):  # type: ignore[arg-type]  # wants a literal
                for modality in _MODALITIES:
                    if count := getattr(getattr(usage, split), modality):
                        counter.add((*own, modality), count)
                        left -= count
            if left > 0:
                counter.add((*own, ANY_MODALITY), left)
        for field, histogram in self._operations.items():
            histogram.at(own).add(getattr(usage, field))

    def add_none(self, peer: Values) -> None:
        # The conventions want a zero recorded.
        for field in _OF_EVERY_ANSWER:
            self._counters[field].add((*peer, "", ANY_MODALITY), 0)
