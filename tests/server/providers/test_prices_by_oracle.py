"""What we multiply is what genai-prices calculates, for every model in our lists."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN
from typing import Final

import pytest
from genai_prices import Usage as OracleUsage
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

from trunkline.v1 import CacheWrite, ModalityTokens, Usage
from trunkline_server.providers.model_prices import STANDARD_TIERS
from trunkline_server.providers.price_list import FILE, PriceLists
from trunkline_server.providers.price_units import UNITS

LISTS: Final = PriceLists()
ORACLE: Final = {provider.id: provider for provider in providers}
NAMES: Final = tuple(json.loads(FILE.read_bytes())["lists"])
TODAY: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NANO: Final = 1_000_000_000

USAGES: Final = {
    "small": Usage(input_tokens=17, output_tokens=3, cache_read_tokens=0, reasoning_tokens=1),
    "cached": Usage(
        input_tokens=10_007,
        cache_read_tokens=6_001,
        cache_write_tokens=3_000,
        cache_writes=[CacheWrite(ttl_s=300, tokens=2_000), CacheWrite(ttl_s=3600, tokens=1_000)],
        output_tokens=503,
        reasoning_tokens=201,
    ),
    "long": Usage(input_tokens=300_001, output_tokens=100_003, cache_read_tokens=150_001),
    "at 200k": Usage(input_tokens=200_000, output_tokens=1),
    "above 200k": Usage(input_tokens=200_001, output_tokens=1),
    "media": Usage(
        input_tokens=2_000,
        cache_read_tokens=100,
        output_tokens=900,
        input_by_modality=ModalityTokens(audio=301, image=403, video=7),
        output_by_modality=ModalityTokens(audio=211, image=13, video=0),
        cache_read_by_modality=ModalityTokens(audio=11, image=17),
    ),
    "searched": Usage(input_tokens=900, output_tokens=90, server_tool_calls={"web_search_requests": 3}),
    "nothing": Usage(),
}
TIERS: Final = {
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "default": {"service_tier": "default"},
    "batch": {"service_tier": "batch", "processing": "batch"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}


def names_of(model: ModelInfo) -> Iterator[str]:
    """Names that mean a model: whole ones, and beginnings, which are names as well."""
    for clause in getattr(model.match, "or_", [model.match]):
        for kind in ("equals", "starts_with"):
            if name := getattr(clause, kind, None):
                yield name


def asked(provider: Provider, name: str, usage: Usage, at: datetime, context: dict[str, str] | None) -> int | None:
    """The oracle's figure in nano-USD; None where it has none, or finds that the counts contradict each other."""
    model = provider.find_model(name, all_providers=list(providers))
    if model is None:
        return None
    counts = {unit.usage_key: unit.count(usage) for key, unit in UNITS.items() if key != "requests"}
    try:
        found = model.calc_price(
            OracleUsage(**counts), provider, genai_request_timestamp=at, price_context=context
        ).total_price
    except ValueError:
        return None
    return int((found * NANO).to_integral_value(ROUND_HALF_EVEN))


def ours(list_name: str, name: str, usage: Usage, at: datetime, tier: str) -> int | None:
    prices = LISTS.prices(list_name, name)
    cost = None if prices is None else prices.cost(usage, tier, at.timestamp())
    return None if cost is None else cost.nano_usd


def agree(mine: int | None, theirs: int | None, by: int = 0) -> bool:
    """Whether the figures are the same; a model billed by other than what completions use has no price with us."""
    if mine is None or theirs is None:
        return not theirs and mine is None
    return abs(mine - theirs) <= by


def exact(model: ModelInfo) -> bool:
    """Whether all its prices are whole nano-USD for a million; a few lists have a third of a cent, in sixteen digits."""
    return all(
        rate is None or (rate.base if isinstance(rate, TieredPrices) else rate) * NANO % 1 == 0
        for prices in (
            [model.prices] if isinstance(model.prices, ModelPrice) else [each.prices for each in model.prices]
        )
        for rate in vars(prices).values()
    )


@pytest.mark.parametrize("list_name", NAMES)
def test_every_model_costs_what_genai_prices_says(list_name: str) -> None:
    provider = ORACLE[list_name]
    wrong = []
    compared = 0
    for model in provider.models:
        for name in names_of(model):
            for label, usage in USAGES.items():
                mine, theirs = ours(list_name, name, usage, TODAY, ""), asked(provider, name, usage, TODAY, None)
                compared += mine is not None
                if not agree(mine, theirs, 0 if exact(model) else 1):
                    wrong.append((name, label, mine, theirs))
    assert not wrong
    assert compared > len(provider.models)


@pytest.mark.parametrize("list_name", NAMES)
def test_every_tier_costs_what_genai_prices_says(list_name: str) -> None:
    provider = ORACLE[list_name]
    wrong = []
    for model in provider.models:
        known = {
            tier
            for tier, context in TIERS.items()
            if any(variant.when.items() <= context.items() for variant in model.price_variants or ())
        }
        for name in names_of(model):
            if provider.find_model(name) is not model:
                continue
            for tier in sorted(known):
                for label in ("cached", "long"):
                    mine = ours(list_name, name, USAGES[label], TODAY, tier)
                    theirs = asked(provider, name, USAGES[label], TODAY, TIERS[tier])
                    if not agree(mine, theirs):
                        wrong.append((name, tier, label, mine, theirs))
    assert not wrong


@pytest.mark.parametrize("list_name", ["anthropic", "openai", "google", "deepseek"])
def test_prices_change_when_genai_prices_says(list_name: str) -> None:
    provider = ORACLE[list_name]
    wrong = []
    for model in provider.models:
        days = {
            constraint.start_date
            for each in (*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ()))
            if hasattr(constraint := each.constraint, "start_date")
        }
        times = [
            datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=s) for day in days for s in (-1, 0)
        ]
        times += [TODAY.replace(hour=hour, minute=30) for hour in range(0, 24, 3)]
        for name in [*names_of(model)][:1]:
            for at in times:
                mine = ours(list_name, name, USAGES["cached"], at, "")
                theirs = asked(provider, name, USAGES["cached"], at, None)
                if not agree(mine, theirs):
                    wrong.append((name, at, mine, theirs))
    assert not wrong


def test_a_tier_without_a_price_has_no_cost() -> None:
    prices = LISTS.prices("openai", "gpt-5.4")
    assert prices is not None
    assert prices.cost(USAGES["small"], "scale", TODAY.timestamp()) is None
    assert {prices.cost(USAGES["small"], tier, TODAY.timestamp()).nano_usd for tier in STANDARD_TIERS} == {  # type: ignore[union-attr]  # the assertion fails on None all the same
        ours("openai", "gpt-5.4", USAGES["small"], TODAY, "")
    }


def test_the_published_examples() -> None:
    figures = [
        ours("anthropic", "claude-opus-5", USAGES["small"], TODAY, "batch"),
        ours("openai", "gpt-5.4", Usage(input_tokens=1_000_000, output_tokens=100_000), TODAY, ""),
        ours("openai", "gpt-5.4", Usage(input_tokens=1_000_000, output_tokens=100_000), TODAY, "flex"),
        ours("openai", "gpt-5.4", Usage(input_tokens=1_000_000, output_tokens=100_000), TODAY, "priority"),
    ]
    assert figures == [80_000, 7_250_000_000, 3_625_000_000, 8_000_000_000]


def test_an_unknown_model_has_no_price() -> None:
    assert LISTS.prices("openai", "gpt-99-made-up") is None
    assert LISTS.prices("", "gpt-5.4") is None


def test_claude_on_vertex_has_the_price_of_its_maker_at_the_standard_tier_only() -> None:
    assert ours("google", "claude-opus-4-8", USAGES["cached"], TODAY, "") == ours(
        "anthropic", "claude-opus-4-8", USAGES["cached"], TODAY, ""
    )
    assert ours("google", "claude-opus-4-8", USAGES["cached"], TODAY, "fast") is None
