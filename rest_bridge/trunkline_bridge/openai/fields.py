"""Readers of single JSON values, which complain in OpenAI's words and codes.

A complaint never quotes text of the client: it may be part of a prompt. Numbers and the words on offer are shown.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar

from trunkline_bridge.errors import ParameterError

T = TypeVar("T")
Json = dict[str, Any]

INT32: Final = (-(2**31), 2**31 - 1)
INT64: Final = (-(2**63), 2**63 - 1)

_READABLE: Final = 10**15

_KINDS: Final = (
    (dict, "an object"),
    (list, "an array"),
    (str, "a string"),
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a decimal number"),
)


def wrong_type(param: str, expected: str, value: object) -> ParameterError:
    """The complaint about a value of another type; `expected` with its article."""
    got = next((words for kind, words in _KINDS if isinstance(value, kind)), "null")
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return ParameterError(param, message, code="invalid_type")


def missing(param: str) -> ParameterError:
    """The complaint about a parameter that must be there."""
    return ParameterError(param, f"Missing required parameter: '{param}'.", code="missing_required_parameter")


def unknown(param: str) -> ParameterError:
    """The complaint about a parameter that there is none of."""
    return ParameterError(param, f"Unknown parameter: '{param}'.", code="unknown_parameter")


def invalid(param: str, expected: str, *, code: str = "invalid_value") -> ParameterError:
    """`expected` is a whole sentence."""
    return ParameterError(param, f"Invalid value for '{param}': {expected}", code=code)


def required(members: Mapping[str, Any], name: str, param: str) -> object:
    """The member of that name; null is as good as none."""
    value = members.get(name)
    if value is None:
        raise missing(f"{param}.{name}" if param else name)
    return value


def text(value: object, param: str) -> str:
    """A string, maybe empty."""
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    return value


def filled_text(value: object, param: str) -> str:
    """A string that is not empty."""
    found = text(value, param)
    if not found:
        raise invalid(param, "it must not be empty.", code="empty_string")
    return found


def flag(value: object, param: str) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise wrong_type(param, "a boolean", value)
    return value


def integer(value: object, param: str, low: int, high: int) -> int:
    """A whole number within bounds; one with a fraction, though it be zero, is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(param, "an integer", value)
    _check_range(value, param, low, high, "integer")
    return int(value)


def number(value: object, param: str, low: float, high: float) -> float:
    """A number within bounds."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong_type(param, "a number", value)
    _check_range(value, param, low, high, "decimal")
    return float(value)


def members(value: object, param: str) -> Json:
    """An object."""
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    return value


def items(value: object, param: str) -> list[Any]:
    """An array."""
    if not isinstance(value, list):
        raise wrong_type(param, "an array", value)
    return value


def filled_items(value: object, param: str, most: int) -> list[Any]:
    """An array of one to `most` items."""
    found = items(value, param)
    if not found:
        message = f"Invalid '{param}': empty array. Expected an array with minimum length 1."
        raise ParameterError(param, message, code="empty_array")
    if len(found) > most:
        message = f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but got an array "
        raise ParameterError(param, f"{message}with length {len(found)} instead.", code="array_above_max_length")
    return found


def texts(value: object, param: str) -> list[str]:
    """An array of strings."""
    return [text(item, f"{param}[{index}]") for index, item in enumerate(items(value, param))]


def labels(value: object, param: str) -> dict[str, str]:
    """An object whose members are strings."""
    found = members(value, param)
    for name, label in found.items():
        if not isinstance(label, str):
            raise wrong_type(f"{param}.{name[:64]}", "a string", label)
    return found


def word(value: object, param: str, table: Mapping[str, T]) -> T:
    """What a word stands for."""
    found = text(value, param)
    if found not in table:
        raise invalid(param, f"Supported values are: {', '.join(map(repr, table))}.")
    return table[found]


def others(found: Json, known: Collection[str]) -> Json:
    """The members that are not known here, null ones left out; they are a vendor's."""
    return {name: value for name, value in found.items() if name not in known and value is not None}


def _check_range(value: float, param: str, low: float, high: float, kind: str) -> None:
    if value < low:
        side, bound, code = "below minimum", f">= {low}", "below_min"
    elif value > high:
        side, bound, code = "above maximum", f"<= {high}", "above_max"
    else:
        return
    message = f"Invalid '{param}': {kind} {side} value. Expected a value {bound}"
    if abs(value) < _READABLE:
        message += f", but got {value} instead"
    raise ParameterError(param, f"{message}.", code=f"{kind}_{code}_value")
