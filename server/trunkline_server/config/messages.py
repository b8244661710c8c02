"""What pydantic's errors are called here: in the words of who writes the file, and without any of its values."""

import re
from collections.abc import Mapping
from typing import Final

from pydantic_core import ErrorDetails

from trunkline_server.config.rules import RULE
from trunkline_server.config.settings import DIGEST_PATTERN, NAME_PATTERN

_MAPPING = "must be a mapping: lines of the form name: value"
_LIST = "must be a list: lines of the form - value"
_TEXT = "must be text"
_WHOLE_NUMBER = "must be a whole number"
_NUMBER = "must be a number"
_TRUTH = "must be true or false"

# By error type; see https://docs.pydantic.dev/latest/errors/validation_errors/. What stands in braces is a limit.
_MESSAGES: Final[Mapping[str, str]] = {
    "bool_parsing": _TRUTH,
    "bool_type": _TRUTH,
    "decimal_max_places": "must have at most {decimal_places} digits behind the point",
    "decimal_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "dict_type": _MAPPING,
    "finite_number": _NUMBER,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER + " of fewer digits",
    "int_type": _WHOLE_NUMBER,
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "model_type": _MAPPING,
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": _TEXT,
    "string_unicode": "must be valid Unicode text",
    "too_short": "must not be empty",
    "tuple_type": _LIST,
}
_PATTERNS: Final[Mapping[str, str]] = {
    NAME_PATTERN: "must begin with a letter or digit and go on with letters, digits, dots, underscores and hyphens",
    DIGEST_PATTERN: 'must be what `trunkline keys hash` prints: "sha256:" and 64 hexadecimal digits',
}
_UNKNOWN = "is not valid"

# What looks like the name of a setting. Anything else in its place may be a credential.
_WORDS = re.compile(r"[A-Za-z_-]{1,32}")


def is_setting_name(name: str) -> bool:
    """Whether an unknown setting's name may be shown."""
    return _WORDS.fullmatch(name) is not None


def message_of(error: ErrorDetails) -> str:
    """What is wrong, for an error of pydantic's."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == RULE:
        return error["msg"]
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], _UNKNOWN)
    limits = {name: f"{limit:.12g}" if isinstance(limit, float) else limit for name, limit in context.items()}
    return _MESSAGES.get(kind, _UNKNOWN).format_map(limits)
