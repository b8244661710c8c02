"""A cost that a provider reports is taken from its very digits, or not at all."""

import pytest

from trunkline.v1 import Cost, CostSource
from trunkline_server.dialects.reported_cost import reported_cost
from trunkline_server.providers.chat_quirks import ReportedCost

USD = ReportedCost(("cost",))
TICKS = ReportedCost(("ticks",), nano_usd=1, per=10)
NESTED = ReportedCost(("cost", "total"))


@pytest.mark.parametrize(
    ("reported", "usage", "nano_usd"),
    [
        (USD, '{"cost":0}', 0),
        (USD, '{"cost":1}', 1_000_000_000),
        (USD, '{"cost":0.1}', 100_000_000),
        (USD, '{"cost":4e-05}', 40_000),
        (USD, '{"cost":0.0076509169000000005}', 7_650_917),
        (USD, '{"cost":0.0000000015}', 2),
        (USD, '{"cost":123456.123456789}', 123_456_123_456_789),
        (TICKS, '{"ticks":12345}', 1234),
        (TICKS, '{"ticks":12346}', 1235),
        (NESTED, '{"cost":{"total":0.5}}', 500_000_000),
    ],
)
def test_a_figure_is_exact_to_the_nano_usd(reported: ReportedCost, usage: str, nano_usd: int) -> None:
    assert reported_cost(reported, usage) == Cost(nano_usd=nano_usd, source=CostSource.COST_SOURCE_REPORTED)


@pytest.mark.parametrize(
    "usage",
    [
        "",
        "[]",
        "{}",
        '{"cost":null}',
        '{"cost":"0.1"}',
        '{"cost":true}',
        '{"cost":{"total":1}}',
        '{"cost":-0.1}',
        '{"cost":1e999999999}',
        '{"cost":1e99999999999999999999}',
        '{"cost":1e-99999999999999999999}',
        '{"cost":10000000}',
        '{"cost":NaN}',
        '{"cost":Infinity}',
    ],
)
def test_what_cannot_be_a_cost_is_none(usage: str) -> None:
    assert reported_cost(USD, usage) is None
