"""The list prices of models by the names that their providers know them by: price_lists.json, read once."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from trunkline_server.providers.model_prices import ModelPrices, Period, Rate, rates_of

FILE: Final = Path(__file__).with_name("price_lists.json")
"""Written by scripts/gen_prices.py."""

MODELS_REMEMBERED: Final = 4096

# Dates in names as gateways write them, and as vendors do.
_COMPACT_DATE: Final = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")

Json = Mapping[str, Any]
Matches = Callable[[str], bool]


class PriceList:
    """The prices of one provider's models. Where several entries mean a name, the first of them counts."""

    def __init__(self, entry: Json, version: str) -> None:
        self._models: Sequence[Json] = entry["models"]
        self._version = version
        self._by_name: dict[str, int] = {}
        """The place of the first model that has a name."""
        self._by_pattern: list[tuple[int, Matches]] = []
        """The places of models that have names of a pattern, and the patterns."""
        for place, model in enumerate(self._models):
            for clause in model["match"]:
                if isinstance(clause, str):
                    self._by_name.setdefault(clause, place)
                else:
                    self._by_pattern.append((place, _pattern(clause)))

    def prices(self, model_id: str, *, with_tiers: bool = True) -> ModelPrices | None:
        """Of a model; None if it is not in the list, or not billed by tokens."""
        model = self._find(model_id)
        if model is None:
            return None
        periods = tuple(_periods(model, with_tiers=with_tiers))
        return ModelPrices(periods=periods, version=self._version) if periods else None

    def window(self, model_id: str) -> int | None:
        """Most tokens of input of a model, as far as the list tells."""
        model = self._find(model_id)
        window = None if model is None else model.get("window")
        return window if isinstance(window, int) else None

    def __contains__(self, model_id: str) -> bool:
        return self._find(model_id) is not None

    def _find(self, model_id: str) -> Json | None:
        name = model_id.lower()
        place = self._place(name)
        if place is None and (dated := _COMPACT_DATE.sub(r"\1\2-\3-\4", name)) != name:
            place = self._place(dated)
        return None if place is None else self._models[place]

    def _place(self, name: str) -> int | None:
        found = self._by_name.get(name)
        for place, matches in self._by_pattern:
            if found is not None and place >= found:
                break
            if matches(name):
                return place
        return found


class PriceLists:
    """All lists, each made when it is first asked for."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self._data: Json | None = None
        self._made: dict[str, PriceList] = {}
        self.prices = lru_cache(MODELS_REMEMBERED)(self._prices)
        """Of a model of the provider whose list is called so."""

    def _prices(self, name: str, model_id: str) -> ModelPrices | None:
        for position, found in enumerate(self._with_fallbacks(name)):
            if model_id in found:
                # What a list says of tiers is said of its own provider.
                return found.prices(model_id, with_tiers=position == 0)
        return None

    def window(self, name: str, model_id: str) -> int | None:
        """Most tokens of input of a model, as far as the lists tell."""
        return next((found.window(model_id) for found in self._with_fallbacks(name) if model_id in found), None)

    def _with_fallbacks(self, name: str) -> Iterator[PriceList]:
        if not name:
            return
        if self._data is None:
            self._data = orjson.loads(self._file.read_bytes())
        lists = self._data["lists"]
        for each in (name, *lists[name]["fallbacks"]):
            if each not in self._made:
                self._made[each] = PriceList(lists[each], self._data["version"])
            yield self._made[each]


def _pattern(clause: Json) -> Matches:
    (kind, text), *_ = clause.items()
    if kind == "all":
        alternatives = [[_clause(one) for one in any_of] for any_of in text]
        return lambda name: all(any(matches(name) for matches in any_of) for any_of in alternatives)
    return _KINDS[kind](text)


def _clause(clause: str | Json) -> Matches:
    return clause.__eq__ if isinstance(clause, str) else _pattern(clause)


def _regex(text: str) -> Matches:
    compiled = re.compile(text)
    return lambda name: compiled.search(name) is not None


_KINDS: Final[Mapping[str, Callable[[str], Matches]]] = {
    "starts_with": lambda text: lambda name: name.startswith(text),
    "ends_with": lambda text: lambda name: name.endswith(text),
    "contains": lambda text: lambda name: text in name,
    "regex": _regex,
}


def _periods(model: Json, *, with_tiers: bool) -> Iterator[Period]:
    """From the last to the first, and what holds at some hours before what holds at all."""
    prices: Sequence[Json] = model["prices"]
    variants: Sequence[Json] = model.get("variants", ()) if with_tiers else ()
    if not any(price["rates"] for price in prices):
        return
    for day in sorted({0, *(_from_s(each) for each in (*prices, *variants))}, reverse=True):
        begun = [price for price in reversed(prices) if _from_s(price) <= day] or [prices[0]]
        for price in begun:
            rates = _rates(price)
            tiers = _tiers(rates, [variant for variant in variants if _from_s(variant) <= day])
            between = price.get("between")
            yield Period(
                rates=rates_of(rates), tiers=tiers, from_s=day, between=None if between is None else tuple(between)
            )
            if between is None:
                break


def _tiers(rates: Mapping[str, Rate], variants: Sequence[Json]) -> dict[str, Any]:
    """The rates at each tier that some variant is for."""
    named = {tier for variant in variants for tier in variant["context"].values()}
    found = {}
    for tier in named:
        context = _context(tier)
        changes: dict[str, Rate] = {}
        matching = [variant for variant in variants if variant["context"].items() <= context.items()]
        for variant in reversed(matching):  # the first that says a price counts
            changes.update(_rates(variant))
        if matching:
            found[tier] = rates_of({**rates, **changes})
    return found


def _context(tier: str) -> Mapping[str, str]:
    """What is known of a call by the tier that it was served at, in the words of genai-prices."""
    context = {"service_tier": tier}
    if tier == "batch":
        context["processing"] = tier
    if tier == "fast":
        context["speed"] = tier
    return context


def _rates(entry: Json) -> dict[str, Rate]:
    return {
        name: rate if isinstance(rate, int) else (rate[0], tuple((above, step) for above, step in rate[1:]))
        for name, rate in entry["rates"].items()
    }


def _from_s(entry: Json) -> int:
    day = entry.get("from")
    return 0 if day is None else int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
