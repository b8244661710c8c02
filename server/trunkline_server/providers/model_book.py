"""The data of models: model_data.json, read once, and what it says of a provider's model."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from trunkline.v1 import Feature, Modality, ReasoningEffort
from trunkline_server.providers.model_facts import UNKNOWN_MODEL, ModelFacts
from trunkline_server.providers.model_names import known_name

FILE: Final = Path(__file__).with_name("model_data.json")

MODELS_REMEMBERED: Final = 4096

# What an API that all models share does in its own way, whatever their makers' own APIs do.
_OF_THE_API: Final = frozenset(
    {
        Feature.FEATURE_SERVER_TOOLS,
        Feature.FEATURE_TOOL_RESULT_IMAGES,
        Feature.FEATURE_CUSTOM_TOOLS,
        Feature.FEATURE_MIDWAY_SYSTEM_MESSAGES,
        Feature.FEATURE_PREFILL,
        Feature.FEATURE_SAMPLING,
        Feature.FEATURE_PENALTIES,
        Feature.FEATURE_STOP,
        Feature.FEATURE_SEED,
        Feature.FEATURE_LOGPROBS,
        Feature.FEATURE_MULTIPLE_CHOICES,
        Feature.FEATURE_REASONING_BUDGET,
        Feature.FEATURE_PROMPT_CACHE_BREAKPOINTS,
        Feature.FEATURE_MEDIA_URLS,
        Feature.FEATURE_CITATIONS,
        Feature.FEATURE_COUNT_TOKENS,
    }
)
ALL_FEATURES: Final = frozenset(Feature.values()) - {Feature.FEATURE_UNSPECIFIED}
"""Whatever a model may be able to do."""

Json = Mapping[str, Any]
Pattern = tuple[str, ...]
"""The pieces of a pattern of names between its asterisks."""


class ModelBook:
    """Rules go from the general to the particular: what a later one says of a model counts.

    A model is known if some rule speaks of its maker; what no rule says of it stays open.
    """

    def __init__(self, file: Path = FILE) -> None:
        data: Json = orjson.loads(file.read_bytes())
        self.version: str = data["version"]
        """The day of the data."""
        self._rules = [(rule, _patterns(rule["match"]), _patterns(rule.get("except", ()))) for rule in data["rules"]]
        self._not_described = _patterns(data["not_described"])
        self.facts = lru_cache(MODELS_REMEMBERED)(self._facts)
        """What is known of a model of a kind of provider."""

    def _facts(self, kind: str, model: str) -> ModelFacts:
        known = known_name(kind, model)
        if known is None:
            return UNKNOWN_MODEL
        said = self.said_of(known.name)
        if said.get("owner") != known.owner:
            return UNKNOWN_MODEL
        return _facts_of(said, own_api=known.own_api)

    def said_of(self, name: str) -> dict[str, Any]:
        """All that the rules say of a model by its maker's name, put together; empty: nothing."""
        found: dict[str, Any] = {"can": set(), "cannot": set()}
        for rule in self._rules_for(name):
            for member, value in rule.items():
                if member == "can":
                    found["can"] |= set(value)
                    found["cannot"] -= set(value)
                elif member == "cannot":
                    found["cannot"] |= set(value)
                    found["can"] -= set(value)
                elif member not in ("match", "except", "sources"):
                    found[member] = value
        return found

    def _rules_for(self, name: str) -> Iterator[Json]:
        if _fits_any(self._not_described, name):
            return
        for rule, match, but in self._rules:
            if _fits_any(match, name) and not _fits_any(but, name):
                yield rule


def features_of(names: Iterable[str]) -> frozenset["Feature.ValueType"]:
    """Features by their names in the data, such as "forced_tool_choice". Raises ValueError for one there is not."""
    return frozenset(Feature.Value(f"FEATURE_{name.upper()}") for name in names)


def modalities_of(names: Iterable[str]) -> frozenset["Modality.ValueType"]:
    """Modalities by their names in the data, such as "image". Raises ValueError for one there is not."""
    return frozenset(Modality.Value(f"MODALITY_{name.upper()}") for name in names)


def efforts_of(names: Iterable[str]) -> tuple["ReasoningEffort.ValueType", ...]:
    """Efforts by their names in the data, from least to most. Raises ValueError for one there is not."""
    return tuple(sorted(ReasoningEffort.Value(f"REASONING_EFFORT_{name.upper()}") for name in names))


def _facts_of(said: Json, *, own_api: bool) -> ModelFacts:
    can, cannot = features_of(said["can"]), features_of(said["cannot"])
    if not own_api:
        can, cannot = can - _OF_THE_API, cannot - _OF_THE_API
    return ModelFacts(
        known=True,
        max_input_tokens=said.get("input"),
        max_output_tokens=said.get("output"),
        features=can,
        unsure=ALL_FEATURES - can - cannot,
        input_modalities=modalities_of(said.get("inputs", ())),
        output_modalities=modalities_of(said.get("outputs", ())),
        reasoning_efforts=efforts_of(said.get("efforts", ())),
        family=said.get("family", ""),
        owner=said["owner"],
        display_name=said.get("name", ""),
        created_at_ms=_day_ms(said.get("created")),
        shutdown_at_ms=_day_ms(said.get("shutdown")) if own_api else 0,
    )


def _day_ms(day: str | None) -> int:
    return 0 if day is None else round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def _patterns(texts: Iterable[str]) -> list[Pattern]:
    return [tuple(text.split("*")) for text in texts]


def _fits_any(patterns: Sequence[Pattern], name: str) -> bool:
    for pattern in patterns:  # noqa: SIM110 all rules are asked for each of a provider's many models
        if name.startswith(pattern[0]) and _fits(pattern, name):
            return True
    return False


def _fits(pattern: Pattern, name: str) -> bool:
    """Whether a name is of a pattern, between whose pieces anything may stand."""
    if len(pattern) == 1:
        return name == pattern[0]
    first, *middle, last = pattern
    if not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        at = name.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return at <= end
