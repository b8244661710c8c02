"""What an answer cost, as the provider itself says."""

import json
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from trunkline.v1 import Cost, CostSource
from trunkline_server.providers.chat_quirks import NANO_USD, ReportedCost

# More than this is no price but a mistake.
_MAX_NANO_USD: Final = 1_000_000 * NANO_USD


def reported_cost(reported: ReportedCost, usage: str) -> Cost | None:
    """The figure in the JSON text of a usage object, from its very digits; None if there is none to be believed."""
    try:
        value: Any = json.loads(usage, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, ArithmeticError, RecursionError):  # ArithmeticError: an exponent beyond all measure
        return None
    for name in reported.path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, Decimal) or not 0 <= value <= _MAX_NANO_USD * reported.per // reported.nano_usd:
        return None
    nano_usd = (value * reported.nano_usd / reported.per).to_integral_value(ROUND_HALF_EVEN)
    return Cost(nano_usd=int(nano_usd), source=CostSource.COST_SOURCE_REPORTED)
