"""Usage times rates: whole nano-USD, rounded once, and nothing where the figures do not make sense."""

import pytest

from trunkline.v1 import CacheWrite, Cost, CostSource, ModalityTokens, Usage
from trunkline_server.providers.model_prices import ModelPrices, Period, Rate, fixed, rates_of

INPUT, OUTPUT = 2_000_000_000, 8_000_000_000
PLAIN: dict[str, Rate] = {"input": INPUT, "output": OUTPUT}
DAY_S = 86_400
HOUR_S = 3_600


def nano_usd(rates: dict[str, Rate], usage: Usage) -> int | None:
    cost = fixed(rates).cost(usage, "", 0)
    return None if cost is None else cost.nano_usd


@pytest.mark.parametrize(
    ("rates", "usage", "expected"),
    [
        (PLAIN, Usage(input_tokens=3, output_tokens=2), 3 * 2000 + 2 * 8000),
        (PLAIN, Usage(input_tokens=3, cache_read_tokens=2), 3 * 2000),  # what has no price of its own is the whole's
        ({**PLAIN, "cache_read": 200_000_000}, Usage(input_tokens=3, cache_read_tokens=2), 2000 + 2 * 200),
        ({**PLAIN, "reasoning": 10**9}, Usage(output_tokens=5, reasoning_tokens=4), 8000 + 4 * 1000),
        (
            {**PLAIN, "cache_write": 3 * 10**9, "cache_write_1h": 4 * 10**9},
            Usage(
                input_tokens=10,
                cache_write_tokens=6,
                cache_writes=[CacheWrite(ttl_s=300, tokens=4), CacheWrite(ttl_s=3600, tokens=2)],
            ),
            4 * 2000 + 4 * 3000 + 2 * 4000,
        ),
        (
            {**PLAIN, "cache_write_1h": 4 * 10**9},  # of those writes only
            Usage(input_tokens=10, cache_write_tokens=2, cache_writes=[CacheWrite(ttl_s=3600, tokens=2)]),
            8 * 2000 + 2 * 4000,
        ),
        ({**PLAIN, "requests": 5 * 10**12}, Usage(), 5_000_000),
        ({"input": 0, "output": 0}, Usage(input_tokens=9), 0),  # known to be free, which is not unknown
    ],
)
def test_what_is_priced_apart_is_taken_out_of_the_whole(rates: dict[str, Rate], usage: Usage, expected: int) -> None:
    assert nano_usd(rates, usage) == expected


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input_tokens=3, cache_read_tokens=4),
        Usage(input_tokens=3, cache_read_tokens=2, input_by_modality=ModalityTokens(audio=2)),
    ],
)
def test_counts_that_contradict_each_other_have_no_cost(usage: Usage) -> None:
    assert nano_usd({**PLAIN, "cache_read": 1, "input_audio": 1}, usage) is None


def test_what_is_both_cached_and_sound_must_be_told_where_it_matters() -> None:
    rates: dict[str, Rate] = {**PLAIN, "cache_read": 1, "input_audio": 1, "cache_read_audio": 1}
    usage = Usage(input_tokens=9, cache_read_tokens=2, input_by_modality=ModalityTokens(audio=2))
    assert nano_usd(rates, usage) is None
    usage.cache_read_by_modality.audio = 1
    assert nano_usd(rates, usage) == 6 * 2000


@pytest.mark.parametrize(("tokens", "rate"), [(0, 1), (200, 1), (201, 2), (300, 2), (301, 3)])
def test_the_size_of_the_input_decides_the_rate_of_all_of_it(tokens: int, rate: int) -> None:
    rates: dict[str, Rate] = {"input": (10**6, ((200, 2 * 10**6), (300, 3 * 10**6)))}
    assert nano_usd(rates, Usage(input_tokens=tokens)) == rate * tokens


def test_a_rate_that_does_not_change_with_the_size_stays() -> None:
    rates: dict[str, Rate] = {"input": (10**6, ((200, 2 * 10**6),)), "output": 5 * 10**6}
    assert nano_usd(rates, Usage(input_tokens=201, output_tokens=2)) == 201 * 2 + 2 * 5


@pytest.mark.parametrize(("tokens", "expected"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)])
def test_a_half_is_rounded_to_the_even_one(tokens: int, expected: int) -> None:
    assert nano_usd({"input": 500_000}, Usage(input_tokens=tokens)) == expected


def test_a_unit_that_there_is_not_is_an_error() -> None:
    with pytest.raises(KeyError, match="tears"):
        rates_of({"tears": 1})


def test_the_cost_says_where_it_comes_from() -> None:
    usage = Usage(input_tokens=1, output_tokens=1)
    contract, listed = fixed(PLAIN), ModelPrices(periods=fixed(PLAIN).periods, version="genai-prices 1")
    shares = Cost(nano_usd=10_000, input_nano_usd=2_000, output_nano_usd=8_000)
    told = [prices.cost(usage, "", 0) for prices in (contract, listed)]
    for source, version, found in zip(
        (CostSource.COST_SOURCE_CONFIGURED, CostSource.COST_SOURCE_COMPUTED), ("", "genai-prices 1"), told, strict=True
    ):
        expected = Cost(source=source, price_version=version)
        expected.MergeFrom(shares)
        assert found == expected
    usage.estimated = True
    estimated = contract.cost(usage, "", 0)
    assert estimated is not None
    assert estimated.source == CostSource.COST_SOURCE_ESTIMATED


@pytest.mark.parametrize(("at_s", "expected"), [(0, 1), (10 * DAY_S - 1, 1), (10 * DAY_S, 2)])
def test_a_price_holds_from_its_day_on(at_s: int, expected: int) -> None:
    prices = ModelPrices(
        periods=(
            Period(rates=rates_of({"input": 2_000_000}), tiers={}, from_s=10 * DAY_S),
            Period(rates=rates_of({"input": 1_000_000}), tiers={}),
        )
    )
    cost = prices.cost(Usage(input_tokens=1), "", at_s)
    assert cost is not None
    assert cost.nano_usd == expected


@pytest.mark.parametrize(("hour", "expected"), [(15, 1), (16, 2), (23, 2), (0, 2), (1, 1)])
def test_a_price_of_some_hours_may_go_past_midnight(hour: int, expected: int) -> None:
    prices = ModelPrices(
        periods=(
            Period(rates=rates_of({"input": 2_000_000}), tiers={}, between=(16 * 60, 60)),
            Period(rates=rates_of({"input": 1_000_000}), tiers={}),
        )
    )
    cost = prices.cost(Usage(input_tokens=1), "", 20_000 * DAY_S + hour * HOUR_S)
    assert cost is not None
    assert cost.nano_usd == expected
