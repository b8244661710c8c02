"""What is known of a target: its model's facts as the data has them, and what the configuration says instead."""

from dataclasses import replace
from typing import Final

from trunkline.v1 import Feature
from trunkline_server.config.settings import PriceSettings, TargetSettings
from trunkline_server.providers.kind import ProviderKind
from trunkline_server.providers.model_book import ALL_FEATURES, ModelBook, efforts_of, features_of, modalities_of
from trunkline_server.providers.model_dialect import dialect_of
from trunkline_server.providers.model_facts import UNKNOWN_MODEL, ModelFacts
from trunkline_server.providers.model_prices import ModelPrices, Rate, fixed
from trunkline_server.providers.price_list import PriceLists

_NANO: Final = 1_000_000_000
_SUFFIX: Final = "_usd_per_million"


class ModelKnowledge:
    """All data of models, for resolving targets."""

    def __init__(self, book: ModelBook, lists: PriceLists) -> None:
        self._book = book
        self._lists = lists

    @property
    def version(self) -> str:
        """The day of the data of models."""
        return self._book.version

    def facts(self, kind: ProviderKind, model: str) -> ModelFacts:
        """What is known of a model of a kind of provider."""
        return self._book.facts(kind.name, model)

    def prices(self, kind: ProviderKind, model: str) -> ModelPrices | None:
        """Its list prices; None: they are not known."""
        return self._lists.prices(kind.price_list, model) if kind.price_list else None


def facts_of(kind: ProviderKind, model: str, settings: TargetSettings, knowledge: ModelKnowledge | None) -> ModelFacts:
    """What is known of a target's model; what the settings say counts."""
    facts = UNKNOWN_MODEL if knowledge is None else knowledge.facts(kind, model)
    said = settings.capabilities
    if said.can or said.cannot or said.input or said.output or said.reasoning_efforts:
        can, cannot = features_of(said.can), features_of(said.cannot)
        facts = replace(
            facts,
            known=True,
            features=facts.features - cannot | can,
            unsure=(facts.unsure if facts.known else ALL_FEATURES) - can - cannot,
            input_modalities=modalities_of(said.input) or facts.input_modalities,
            output_modalities=modalities_of(said.output) or facts.output_modalities,
            reasoning_efforts=efforts_of(said.reasoning_efforts) or facts.reasoning_efforts,
        )
    if settings.max_input_tokens is not None:
        facts = replace(facts, max_input_tokens=settings.max_input_tokens)
    if settings.max_output_tokens is not None:
        facts = replace(facts, max_output_tokens=settings.max_output_tokens)
    # How an answer is gone on with is told for the kind's usual language only.
    is_usual = (settings.dialect or dialect_of(kind, model, facts)) == kind.dialect
    return _with_prefill(facts, kind if is_usual else replace(kind, prefill=None), settings)


def prices_of(
    kind: ProviderKind, model: str, settings: TargetSettings, knowledge: ModelKnowledge | None
) -> ModelPrices | None:
    """What a target costs; None: that is not known. What a contract says counts."""
    if settings.prices is not None:
        return _contract(settings.prices)
    return None if knowledge is None else knowledge.prices(kind, model)


def _with_prefill(facts: ModelFacts, kind: ProviderKind, settings: TargetSettings) -> ModelFacts:
    """Whether it goes on from what is given: as the settings say, else its model's facts, else its kind."""
    prefill = Feature.FEATURE_PREFILL
    if settings.prefill is not None:
        prefills = settings.prefill
    elif facts.can(prefill) or facts.cannot(prefill):
        return facts
    else:
        prefills = kind.prefill is not None
    if prefills:
        return replace(facts, features=facts.features | {prefill}, unsure=facts.unsure - {prefill})
    if settings.prefill is None:
        return facts
    return replace(facts, features=facts.features - {prefill}, unsure=facts.unsure - {prefill})


def _contract(settings: PriceSettings) -> ModelPrices:
    rates: dict[str, Rate] = {
        name.removesuffix(_SUFFIX): round(usd * _NANO) for name, usd in settings if usd is not None
    }
    for modality in ("audio", "image"):
        # What is both cached and, say, sound is cached, and must be counted once.
        if "cache_read" in rates and f"input_{modality}" in rates:
            rates[f"cache_read_{modality}"] = rates["cache_read"]
    return fixed(rates)
