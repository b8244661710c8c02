"""What a model costs: integer rates that usage is multiplied by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trunkline.v1 import Cost, CostSource, Pricing, Usage
from trunkline_server.providers.price_units import UNITS, Unit

MILLION: Final = 1_000_000
STANDARD_TIERS: Final = frozenset(("", "auto", "default", "standard", "standard_only", "on_demand"))
"""What vendors call the tier that their list prices are for."""

_MINUTE_S: Final = 60
_DAY_MINUTES: Final = 24 * 60

Rate = int | tuple[int, tuple[tuple[int, int], ...]]
"""Nano-USD for a million; or the first rate, and what it is from which size of the whole input on: (above, rate)."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What is billed at one time and one service tier. Made by `rates_of`."""

    units: tuple[Unit, ...]
    """The most particular first."""
    parts: tuple[tuple[int, ...], ...]
    """For each unit, the places of those that are parts of it."""
    bands: tuple[tuple[int, tuple[int, ...]], ...]
    """Rates by unit for inputs of more than so many tokens, the largest first. All tokens are billed at one of them."""

    def cost(self, usage: Usage) -> tuple[int, int, int] | None:
        """Nano-USD in all, for input and for output; None if the counts contradict each other or one is missing."""
        rates = self.bands[-1][1]
        if len(self.bands) > 1:
            rates = next(rates for above, rates in self.bands if usage.input_tokens > above or above < 0)
        counts: list[int] = []
        total = inputs = outputs = 0
        for unit, parts, rate in zip(self.units, self.parts, rates, strict=True):
            count = unit.count(usage)
            for part in parts:
                count -= counts[part]
            if count < 0:
                return None
            counts.append(count)
            if count:
                amount = count * rate
                total += amount
                if unit.direction == "input":
                    inputs += amount
                elif unit.direction == "output":
                    outputs += amount
        return _per_million(total), _per_million(inputs), _per_million(outputs)

    def first(self, name: str) -> int | None:
        """The rate of a unit for the smallest input; None: it is not billed apart."""
        unit = UNITS[name]
        return self.bands[-1][1][self.units.index(unit)] if unit in self.units else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The rates of a time."""

    rates: Rates
    """At the standard tier."""
    tiers: Mapping[str, Rates]
    """At others, by what the provider calls them."""
    from_s: int = 0
    """When it begins; Unix seconds."""
    between: tuple[int, int] | None = None
    """The minutes of each day, in UTC, in which it holds; the second may lie on the next day. None: all day."""

    def holds(self, at_s: float) -> bool:
        """Whether these rates were asked at a time."""
        if at_s < self.from_s:
            return False
        if self.between is None:
            return True
        start, end = self.between
        minute = at_s / _MINUTE_S % _DAY_MINUTES
        return start <= minute < end if start <= end else minute >= start or minute < end


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrices:
    """Resolved once for each target."""

    periods: tuple[Period, ...]
    """The one to prefer first; the last holds where no other does."""
    version: str = ""
    """The price data, such as "genai-prices 0.2.3"; empty: the configuration."""

    def cost(self, usage: Usage, tier: str, at_s: float) -> Cost | None:
        """What `usage` cost at the service tier that was served. None: that is not known.

        A tier of which the prices say nothing has no price: its rates are others than the standard ones.
        """
        period = self._at(at_s)
        rates = period.tiers.get(tier)
        if rates is None:
            if tier not in STANDARD_TIERS:
                return None
            rates = period.rates
        found = rates.cost(usage)
        if found is None:
            return None
        source = CostSource.COST_SOURCE_COMPUTED if self.version else CostSource.COST_SOURCE_CONFIGURED
        if usage.estimated:
            source = CostSource.COST_SOURCE_ESTIMATED
        total, inputs, outputs = found
        return Cost(
            nano_usd=total,
            input_nano_usd=inputs,
            output_nano_usd=outputs,
            source=source,
            price_version=self.version,
        )

    def pricing(self, at_s: float) -> Pricing:
        """The rates of a time as clients see them."""
        rates = self._at(at_s).rates
        return Pricing(
            input_nano_usd_per_million=rates.first("input"),
            output_nano_usd_per_million=rates.first("output"),
            cache_read_nano_usd_per_million=rates.first("cache_read"),
            cache_write_nano_usd_per_million=rates.first("cache_write"),
            price_version=self.version,
        )

    def _at(self, at_s: float) -> Period:
        for period in self.periods:
            if period.holds(at_s):
                return period
        return self.periods[-1]


def rates_of(rates: Mapping[str, Rate]) -> Rates:
    """Rates by the names of their units, made ready to multiply by. Raises KeyError for a unit that there is not."""
    names = [name for name in UNITS if name in rates]
    units = tuple(UNITS[name] for name in names)
    parts = tuple(tuple(place for place, part in enumerate(units) if name in part.within) for name in names)
    starts = {-1}
    for rate in rates.values():
        if not isinstance(rate, int):
            starts.update(above for above, _ in rate[1])
    bands = tuple(
        (above, tuple(_at_size(rates[name], above) for name in names)) for above in sorted(starts, reverse=True)
    )
    for name in rates.keys() - UNITS.keys():
        raise KeyError(name)
    return Rates(units, parts, bands)


def _at_size(rate: Rate, above: int) -> int:
    if isinstance(rate, int):
        return rate
    first, steps = rate
    return max(((start, step) for start, step in steps if start <= above), default=(-1, first))[1]


def _per_million(amount: int) -> int:
    """A millionth, rounded to the nearest and from the middle to the even one."""
    quotient, rest = divmod(amount, MILLION)
    half = MILLION // 2
    return quotient + (rest > half or (rest == half and quotient % 2))


def fixed(rates: Mapping[str, Rate]) -> ModelPrices:
    """Prices that are the same at all times and tiers of the standard name, as a contract says."""
    return ModelPrices(periods=(Period(rates=rates_of(rates), tiers={}),))
