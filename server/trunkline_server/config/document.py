"""A configuration file as a tree of texts that know where they stand in it; what they mean is not decided here.

YAML's guesses at types are not taken: `12345`, `yes` and `1e3` are the texts they were written as, and the setting they
are for decides. Only an empty value and a plain `null` are told apart, as "not set".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from trunkline_server.config.errors import Problem
from trunkline_server.config.node import Node, Position, joined
from trunkline_server.config.substitution import SubstitutionError, substitute

MAX_DEPTH: Final = 32
MAX_NODES: Final = 100_000
"""Most values of one file, each counted as often as aliases repeat it."""

_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset(_CORE + name for name in ("bool", "float", "int", "str", "timestamp", "value"))
_NULL, _MAP, _SEQ, _MERGE = (_CORE + name for name in ("null", "map", "seq", "merge"))

# PyYAML's own texts quote the file, so none of them is shown. The first fitting beginning decides.
_SYNTAX = {
    "mapping values are not allowed": "a colon cannot stand here: check the indentation, and quote text that holds ': '",
    "could not find expected ':'": "a name needs a colon and a space after it",
    "found unexpected end of stream": "a quote is opened here and never closed",
    "found character '\\t'": "a tab cannot stand here: indent by spaces",
    "found character": "a value cannot begin with this character: put it in quotes",
    "found undefined alias": "an alias without its anchor: put text that begins with * in quotes",
    "found duplicate anchor": "an anchor of this name exists already",
    "found unknown escape": "an unknown escape: in single quotes a backslash is a backslash",
    "expected ',' or": "a comma or a closing bracket is missing; inside brackets and braces ${...} needs quotes",
    "expected <block end>": "the indentation does not fit the lines above",
    "expected the node content": "a value is missing",
    "but found another document": "a second document: a configuration is one",
}
# PyYAML sees these where what they are about has ended.
_SHOWN_AT_ITS_BEGINNING = ("could not find expected ':'", "found unexpected end of stream")
_NOT_YAML = "this is not valid YAML"

_START = Position(1, 1)


@dataclass(slots=True)
class Document:
    """What could be read of a file."""

    root: Node | None
    """None: it could not be read."""
    problems: list[Problem] = field(default_factory=list)


def read_document(text: str, environment: Mapping[str, str]) -> Document:
    """Reads the text of a file and puts the environment's variables into its values."""
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        return Document(None, [Problem(line, column, "", "a character that YAML does not allow")])
    try:
        tree = loader.get_single_node()
    except _RefusedError as refused:
        return Document(None, [_problem_at(refused.mark, "", refused.message)])
    except yaml.MarkedYAMLError as error:
        return Document(None, [_syntax_problem(error)])
    except (ValueError, OverflowError):
        # PyYAML lets some numbers through to int() and chr() that those do not take.
        return Document(None, [_problem_at(loader.get_mark(), "", _NOT_YAML)])
    finally:
        loader.dispose()
    if tree is None or tree.tag == _NULL:
        return Document(Node("", _START, _START, {}))
    reader = _Reader(environment)
    try:
        return Document(reader.read(tree, "", tree.start_mark, 1), reader.problems)
    except _RefusedError as refused:
        return Document(None, [*reader.problems, _problem_at(refused.mark, "", refused.message)])


class _RefusedError(Exception):
    """The file goes beyond a limit; reading stops."""

    def __init__(self, mark: yaml.Mark, message: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message


class _Loader(yaml.SafeLoader):
    """Composes nodes; the depth is bounded, because composing recurses."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _RefusedError(self._next_mark(), f"values are nested more than {MAX_DEPTH} deep")
        try:
            return super().compose_node(parent, index)  # type: ignore[arg-type]  # the stubs leave out what it takes
        finally:
            self._depth -= 1

    def _next_mark(self) -> yaml.Mark:
        mark: yaml.Mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # the stubs leave it bare
        return mark


class _Reader:
    """Turns YAML's nodes into ours and notes what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._environment = environment
        self._count = 0

    def read(self, node: yaml.Node, path: str, name_mark: yaml.Mark, depth: int) -> Node:
        self._bound(node, depth)
        found = Node(path, _position(name_mark), _position(node.start_mark), None)
        match node:
            case yaml.ScalarNode() if node.tag in _TEXT_TAGS:
                self._read_text(node, found)
            case yaml.ScalarNode() if node.tag in (_NULL, _MERGE):
                # A plain << that is no name is just that text.
                found.value = None if node.tag == _NULL else node.value
            case yaml.MappingNode() if node.tag == _MAP:
                found.value = dict(self._read_entries(node, path, depth))
            case yaml.SequenceNode() if node.tag == _SEQ:
                found.value = [
                    self.read(item, joined(path, index), item.start_mark, depth + 1)
                    for index, item in enumerate(node.value)
                ]
            case _:
                self._note(found, "a YAML tag of this kind is not understood: leave it out")
        return found

    def _read_text(self, node: yaml.ScalarNode, found: Node) -> None:
        try:
            found.value = substitute(node.value, self._environment)
        except SubstitutionError as error:
            for message in error.messages:
                self._note(found, message)

    def _read_entries(
        self, node: yaml.MappingNode, path: str, depth: int, seen: dict[str, int] | None = None
    ) -> Iterator[tuple[str, Node]]:
        """The entries of a mapping, then those merged into it.

        `seen` holds the lines of names that stand in the mapping already when `node` is one merged into it.
        """
        self._bound(node, depth)
        lines = {} if seen is None else seen
        merged: list[yaml.MappingNode] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += self._merged_mappings(key, value, path)
                continue
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(_problem_at(key.start_mark, path, "a name must be plain text"))
                continue
            name = key.value
            below = joined(path, name)
            if name in lines:
                if seen is None:
                    message = f"is set twice, first on line {lines[name]}"
                    self.problems.append(_problem_at(key.start_mark, below, message))
                continue
            lines[name] = key.start_mark.line + 1
            if "${" in name:
                self.problems.append(_problem_at(key.start_mark, below, "a variable can stand in a value only"))
            yield name, self.read(value, below, key.start_mark, depth + 1)
        for mapping in merged:
            yield from self._read_entries(mapping, path, depth + 1, lines)

    def _merged_mappings(self, key: yaml.Node, value: yaml.Node, path: str) -> list[yaml.MappingNode]:
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        found = [source for source in sources if isinstance(source, yaml.MappingNode)]
        if len(found) < len(sources):
            self.problems.append(_problem_at(key.start_mark, path, "<< takes a mapping or a list of mappings"))
        return found

    def _bound(self, node: yaml.Node, depth: int) -> None:
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            raise _RefusedError(node.start_mark, "too much: aliases repeat values too often or too deep")

    def _note(self, node: Node, message: str) -> None:
        node.faulty = True
        self.problems.append(Problem(*node.at, node.path, message))


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    found, context = error.problem or "", error.context or ""
    message = next((said for begin, said in _SYNTAX.items() if found.startswith(begin)), _NOT_YAML)
    if message == _NOT_YAML and context.startswith("found duplicate anchor"):
        message = _SYNTAX["found duplicate anchor"]
    marks = (error.problem_mark, error.context_mark)
    at_beginning = found.startswith(_SHOWN_AT_ITS_BEGINNING)
    return _problem_at(next(filter(None, reversed(marks) if at_beginning else marks), None), "", message)


def _problem_at(mark: yaml.Mark | None, path: str, message: str) -> Problem:
    return Problem(*_position(mark), path, message) if mark is not None else Problem(0, 0, path, message)


def _position(mark: yaml.Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)
