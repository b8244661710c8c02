"""Members of an answer that the contract has no field for: kept where they stood, as one JSON object."""

from collections.abc import Container
from typing import Final

from trunkline_server.dialects.json_values import Json, json_text

_MAX_MERGE_DEPTH: Final = 8


def keep_others(held: Json, holder: Json, known: Container[str]) -> None:
    """Adds to `held` the members of `holder` that are not `known`.

    A stream tells them in pieces: objects merge member by member, lists grow, of anything else the last one counts.
    """
    others = {name: value for name, value in holder.items() if name not in known and value is not None}
    # They are written again at the end, where it is too late to find that they cannot be; the brackets stand for the
    # objects that they will be in by then.
    json_text([[[[others]]]])
    _merge(held, others, _MAX_MERGE_DEPTH)


def _merge(held: Json, more: Json, depth: int) -> None:
    for name, value in more.items():
        present = held.get(name)
        if type(present) is dict and type(value) is dict and depth:
            _merge(present, value, depth - 1)
        elif type(present) is list and type(value) is list:
            present.extend(value)
        elif value is not None:
            held[name] = value
