"""The tree that a configuration file is: texts, mappings and lists that know where they stand."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Location = tuple[str | int, ...]
"""Where a setting is, step by step: ("keys", 0, "digest")."""

_NAME = re.compile(r"[A-Za-z0-9._:/@+*-]{1,64}")
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]{16,}")


class Position(NamedTuple):
    """A place in the file; both from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """One value and its place."""

    path: str
    """Such as "providers.openai.api_key"; empty for the whole document."""
    name_at: Position
    """Where its name stands, or its first character if it has none."""
    value_at: Position
    value: "str | dict[str, Node] | list[Node] | None"
    faulty: bool = False
    """A problem with it is known already, so nothing more need be said of it."""

    @property
    def at(self) -> Position:
        """Where a problem with it is shown: at a text itself, but at the name of a mapping or list."""
        return self.name_at if isinstance(self.value, dict | list) else self.value_at

    def plain(self) -> object:
        """The value without its places."""
        match self.value:
            case dict() as entries:
                return {name: entry.plain() for name, entry in entries.items()}
            case list() as items:
                return [item.plain() for item in items]
            case text:
                return text

    def find(self, location: Sequence[str | int]) -> "tuple[Node, Sequence[str | int]]":
        """The node at this location or else the nearest above it, and what of the location is left."""
        node = self
        for depth, step in enumerate(location):
            child = node.child(step)
            if child is None:
                return node, location[depth:]
            node = child
        return node, ()

    def faults(self, location: Location = ()) -> Iterator[Location]:
        """The locations of all that is faulty, this node's own first."""
        if self.faulty:
            yield location
        match self.value:
            case dict() as entries:
                for name, entry in entries.items():
                    yield from entry.faults((*location, name))
            case list() as items:
                for index, item in enumerate(items):
                    yield from item.faults((*location, index))
            case str() | None:
                pass

    def discard(self, broken: Collection[int]) -> None:
        """Takes out, at any depth, the nodes with these `id()`s; those behind them in a list move up."""
        match self.value:
            case dict() as entries:
                self.value = {name: entry for name, entry in entries.items() if id(entry) not in broken}
                for entry in self.value.values():
                    entry.discard(broken)
            case list() as items:
                self.value = [item for item in items if id(item) not in broken]
                for item in self.value:
                    item.discard(broken)
            case str() | None:
                pass

    def child(self, step: str | int) -> "Node | None":
        """One step down, if there is such a node."""
        if isinstance(self.value, dict) and isinstance(step, str):
            return self.value.get(step)
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            return self.value[step]
        return None


def joined(path: str, *steps: str | int) -> str:
    """A path with further steps, such as "keys[0].digest"."""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{shown(step)}" if path else shown(step)
    return path


def shown(name: str) -> str:
    """A name for a path: as it is, or "?" if it might be a credential that slipped into a name's place."""
    if not _NAME.fullmatch(name):
        return "?"
    for piece in _ALPHANUMERIC.findall(name):
        if not piece.isalpha() and not piece.isdigit():
            return "?"
    return name
