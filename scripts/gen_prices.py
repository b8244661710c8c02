"""Write the list prices that the gateway multiplies by, from the offline data of genai-prices.

Usage:
    python scripts/gen_prices.py           rewrite the price lists
    python scripts/gen_prices.py --check   fail if they are not those of the genai-prices that is installed

The package itself is no part of a running gateway: it would add 23 MB and 0.2 s to every start.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from genai_prices.data import providers
from genai_prices.data_units import unit_data
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.price_units import UNITS

LISTS: Final = Path(__file__).resolve().parents[1] / "server/trunkline_server/providers/price_lists.json"
NANO: Final = 1_000_000_000
MILLION: Final = 1_000_000

Json = dict[str, Any]

# Our units by the name of their price in genai-prices, and how many of each that price is for.
PRICED: Final = {
    unit_data[unit.usage_key]["price_key"]: (name, unit_data[unit.usage_key]["per"]) for name, unit in UNITS.items()
}


def main(argument: str = "") -> None:
    fresh = text(data())
    if argument == "--check":
        if not LISTS.exists() or LISTS.read_text(encoding="utf-8") != fresh:
            sys.exit(f"stale: {LISTS.name}, run python scripts/gen_prices.py")
    else:
        LISTS.write_text(fresh, encoding="utf-8")


def data() -> Json:
    """The lists that some kind of provider has its prices in, and those that these fall back to."""
    by_id = {provider.id: provider for provider in providers}
    wanted = {kind.price_list for kind in KINDS.values() if kind.price_list}
    wanted |= {other for name in wanted for other in by_id[name].fallback_model_providers or ()}
    return {
        "version": f"genai-prices {version('genai-prices')}",
        "lists": {name: price_list(by_id[name]) for name in sorted(wanted)},
    }


def text(found: Json) -> str:
    """One model a line, so that a new version of the data can be read as a difference."""
    lines = ["{", f'"version": {json.dumps(found["version"])},', '"lists": {']
    lists = list(found["lists"].items())
    for position, (name, entry) in enumerate(lists):
        lines.append(f'{json.dumps(name)}: {{"fallbacks": {json.dumps(entry["fallbacks"])}, "models": [')
        rows = [json.dumps(row, separators=(",", ":")) for row in entry["models"]]
        lines.append(",\n".join(rows))
        lines.append("]}," if position + 1 < len(lists) else "]}")
    return "\n".join([*lines, "}", "}", ""])


def price_list(provider: Provider) -> Json:
    """All models of a provider that are billed by what a completion uses."""
    rows = [row for model in provider.models if (row := model_row(model)) is not None]
    return {"fallbacks": provider.fallback_model_providers or [], "models": rows}


def model_row(model: ModelInfo) -> Json | None:
    """One model; None if it is billed by something else, such as minutes of sound or pages."""
    if isinstance(model.prices, ModelPrice):
        periods: list[Json] = [{"rates": rates(model.prices)}]
    else:
        periods = [{**when(price.constraint), "rates": rates(price.prices)} for price in model.prices]
    row: Json = {"id": model.id, "match": clauses(model.match), "prices": periods}
    # A row without prices stays where its name would otherwise be taken for that of a model further down.
    variants = [
        {"context": variant.when, **when(variant.constraint), "rates": rates(variant.prices)}
        for variant in model.price_variants or ()
    ]
    if variants:
        row["variants"] = variants
    if model.context_window:
        row["window"] = model.context_window
    return row


def rates(prices: ModelPrice) -> Json:
    """Nano-USD for a million of each unit; where it depends on the size of the input, the first and then [above, rate]."""
    found: Json = {}
    for key, price in prices.__dict__.items():
        if price is None or key not in PRICED:
            continue
        name, per = PRICED[key]
        if isinstance(price, TieredPrices):
            tiers = [[tier.start, rate(tier.price, per)] for tier in price.tiers]
            found[name] = [rate(price.base, per), *tiers]
        else:
            found[name] = rate(price, per)
    return found


def rate(usd: Decimal, per: int) -> int:
    """Nano-USD for a million, of USD for `per`."""
    return round(usd * NANO * MILLION / per)


def when(constraint: StartDateConstraint | TimeOfDateConstraint | None) -> Json:
    """When a price holds: from a day on, or between two times of each day, both in UTC."""
    if isinstance(constraint, StartDateConstraint):
        return {"from": constraint.start_date.isoformat()}
    if isinstance(constraint, TimeOfDateConstraint):
        return {"between": [minutes(constraint.start_time), minutes(constraint.end_time)]}
    return {}


def minutes(of_day: time) -> int:
    """A time of day in minutes since midnight."""
    if of_day.second or (of_day.utcoffset() is not None and of_day.utcoffset()):
        raise ValueError(f"{of_day} is no whole minute of UTC")
    return of_day.hour * 60 + of_day.minute


def clauses(match: object) -> list[object]:
    """What names a model has: any of these. A text is the whole name; the rest says what it does with its text."""
    return list(any_of(match))


def any_of(match: object) -> Iterator[object]:
    if isinstance(match, ClauseOr):
        for clause in match.or_:
            yield from any_of(clause)
    else:
        yield one(match)


def one(match: object) -> str | Mapping[str, object]:
    """A clause that is no choice."""
    match match:
        case ClauseEquals():
            return match.equals.lower()
        case ClauseStartsWith():
            return {"starts_with": match.starts_with.lower()}
        case ClauseEndsWith():
            return {"ends_with": match.ends_with.lower()}
        case ClauseContains():
            return {"contains": match.contains.lower()}
        case ClauseRegex():
            return {"regex": match.regex}
        case ClauseAnd():
            return {"all": [clauses(clause) for clause in match.and_]}
        case _:
            raise ValueError(f"genai-prices matches names in a way that is not known here: {type(match).__name__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
