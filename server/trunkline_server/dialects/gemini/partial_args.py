"""Calls whose arguments come in pieces, as Vertex sends them if asked to: each a value, or a part of a text, at a path."""

import re
from typing import Any, Final

import orjson

from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import Json, objects_in, text_in

# The steps that https://www.rfc-editor.org/rfc/rfc9535 has for one member: .name, ['name'], ["name"] and [0].
_STEP: Final = re.compile(
    r"""\.(?P<dot>[^.\[\]'"]+)|\[(?P<at>\d{1,6})\]|\[(?P<q>['"])(?P<name>(?:\\.|(?!(?P=q)).)*)(?P=q)\]"""
)
_ESCAPED: Final = re.compile(r"\\(.)")
_MAX_STEPS: Final = 100
# An unset member of null_value's type says nothing.
_VALUES: Final = ("numberValue", "boolValue")

Step = str | int


class PartialArguments:
    """The arguments of one call as far as they have come."""

    __slots__ = ("_open", "_root")

    def __init__(self) -> None:
        self._root: Json = {}
        self._open: tuple[Step, ...] | None = None

    def take(self, call: Json) -> int:
        """The pieces in one `functionCall`; returns how many characters they hold."""
        return sum(self._take(piece) for piece in objects_in(call, "partialArgs"))

    def text(self, *, cut: bool) -> str:
        """All of them as JSON; of a call that was `cut` off what there is of it, which is no whole object."""
        whole = orjson.dumps(self._root).decode()
        return whole.rstrip(']}"') if cut else whole

    def _take(self, piece: Json) -> int:
        path = _steps(text_in(piece, "jsonPath"))
        if "stringValue" in piece:
            value: Any = text_in(piece, "stringValue")
            chars = len(value)
            if self._open == path:
                value = self._get(path) + value
        elif "nullValue" in piece:
            value, chars = None, len("null")
        else:
            value = next((piece[name] for name in _VALUES if name in piece), None)
            if type(value) not in (int, float, bool):
                raise MalformedFrameError("a partial argument has no value")
            if type(value) is float and value.is_integer() and abs(value) < 2**53:
                value = int(value)
            chars = len(str(value))
        self._put(path, value)
        self._open = path if piece.get("willContinue") is True else None
        return chars

    def _get(self, path: tuple[Step, ...]) -> str:
        at: Any = self._root
        for step in path:
            at = at[step]
        return str(at)

    def _put(self, path: tuple[Step, ...], value: object) -> None:
        at: Any = self._root
        for step, following in zip(path, (*path[1:], None), strict=True):
            empty: object = value if following is None else [] if type(following) is int else {}
            if type(step) is int and type(at) is list and step <= len(at):
                if step == len(at):
                    at.append(empty)
                elif following is None:
                    at[step] = value
            elif type(step) is str and type(at) is dict:
                if following is None:
                    at[step] = value
                else:
                    at.setdefault(step, empty)
            else:
                raise MalformedFrameError("a partial argument has no place")
            at = at[step]


def _steps(path: str) -> tuple[Step, ...]:
    """The steps of a JSONPath that means one place below the root."""
    if not path.startswith("$"):
        raise MalformedFrameError("jsonPath is no path")
    steps: list[Step] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise MalformedFrameError("jsonPath is no path to one place")
        if found["at"] is not None:
            steps.append(int(found["at"]))
        else:
            steps.append(found["dot"] if found["dot"] is not None else _ESCAPED.sub(r"\1", found["name"]))
        at = found.end()
    if not 0 < len(steps) <= _MAX_STEPS:
        raise MalformedFrameError("jsonPath is the root, or too deep")
    return tuple(steps)
