"""Settings out of a document: every value that does not fit is told, and what fits is made of the rest."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trunkline_server.config.checks import Finding, did_you_mean
from trunkline_server.config.errors import Problem
from trunkline_server.config.messages import is_setting_name, message_of
from trunkline_server.config.node import Location, Node, joined
from trunkline_server.config.settings import Settings

Overrides = Mapping[tuple[str, ...], object]
"""Values that win over a file's, by location, such as ("rest", "port"): those of the command line."""
NO_OVERRIDES: Final[Overrides] = MappingProxyType({})

_FROM_OUTSIDE = " (set on the command line)"
_KEY = "[key]"  # pydantic's last step of a location when an entry's name is at fault, not its value


@dataclass(slots=True)
class Validated:
    """What became of a document."""

    root: Node
    """The document without what is broken."""
    overrides: dict[Location, object]
    """Those that are not broken."""
    settings: Settings | None = None
    """Made of `root`. None: nothing could be."""
    problems: list[Problem] = field(default_factory=list)
    """What is broken."""
    lost: AbstractSet[Location] = frozenset()
    """Where it stood; the first two steps of each location."""

    def placed(self, finding: Finding) -> Problem | None:
        """A finding about `settings` as a problem with its place; None if that place has a problem already."""
        location, message = finding
        if location in self.overrides:
            return Problem(0, 0, joined("", *location), message + _FROM_OUTSIDE)
        node, rest = self.root.find(location)
        if rest:
            return Problem(*node.name_at, joined(node.path, *rest), message)
        return None if node.faulty else Problem(*node.at, node.path, message)


def validate(root: Node, overrides: Overrides = NO_OVERRIDES) -> Validated:
    """Validates as often as it takes until what is left is valid; only what is wrong with the whole is told."""
    found = Validated(root, dict(overrides.items()))
    lost = {location[:2] for location in root.faults()}
    errors = _errors(found)
    found.problems = [problem for error in _causes(errors) if (problem := _problem(found, error)) is not None]
    while errors and _prune(found, errors, lost):
        errors = _errors(found)
    found.lost = lost
    return found


def _errors(found: Validated) -> list[ErrorDetails]:
    """Sets the settings, or gives what stands in their way."""
    data = found.root.plain()
    for location, value in found.overrides.items():
        _put(data, location, value)
    try:
        found.settings = Settings.model_validate(data)
    except ValidationError as error:
        return error.errors(include_input=False, include_url=False)
    return []


def _put(data: object, location: Location, value: object) -> None:
    for step in location[:-1]:
        if not isinstance(data, dict):
            return
        if data.get(step) is None:
            data[step] = {}
        data = data[step]
    if isinstance(data, dict):
        data[location[-1]] = value


def _causes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without those that follow from others: a list is also too short if none of its items is valid."""
    locations = [error["loc"] for error in errors]
    return [
        error
        for error in errors
        if error["type"] != "too_short"
        or not any(at[: len(error["loc"])] == error["loc"] and at != error["loc"] for at in locations)
    ]


def _prune(found: Validated, errors: list[ErrorDetails], lost: set[Location]) -> bool:
    """Takes out what is broken. False if that is the whole document."""
    root, broken = found.root, set[int]()
    for error in errors:
        location = _location(root, error)
        if location in found.overrides:
            lost.add(location[:2])
            del found.overrides[location]
            continue
        node, rest = root.find(location)
        if rest:  # something is missing below this node
            location = location[: len(location) - len(rest)]
        if not location:
            return False
        lost.add(location[:2])
        broken.add(id(node))
    root.discard(broken)
    return True


def _problem(found: Validated, error: ErrorDetails) -> Problem | None:
    root, location = found.root, _location(found.root, error)
    if location in found.overrides:
        return Problem(0, 0, joined("", *location), message_of(error) + _FROM_OUTSIDE)
    node, rest = root.find(location)
    if node.faulty:
        return None
    if error["type"] == "extra_forbidden":
        return _unknown(root, location)
    message = message_of(error)
    if len(location) < len(error["loc"]):
        # A name that is none may be anything, so the path ends before it.
        return Problem(*node.name_at, root.find(location[:-1])[0].path, f"the name {message}")
    if rest:
        return Problem(*node.name_at, joined(node.path, *rest), message)
    return Problem(*node.at, node.path, message)


def _unknown(root: Node, location: Location) -> Problem:
    node = root.find(location)[0]
    parent = root.find(location[:-1])[0]
    name = str(location[-1])
    known = _setting_names(location[:-1])
    path = joined(parent.path, name if is_setting_name(name) else "?")
    hint = did_you_mean(name, known) or f"; there are {', '.join(sorted(known))}"
    return Problem(*node.name_at, path, f"is not a setting{hint}")


def _setting_names(location: Location) -> AbstractSet[str]:
    """The names of the settings that may stand here."""
    model: type[BaseModel] = Settings
    inside_collection = False
    for step in location:
        if inside_collection:
            inside_collection = False
            continue
        annotation = model.model_fields[str(step)].annotation
        inside_collection = bool(get_args(annotation))
        model = next(_models_in(annotation))
    return model.model_fields.keys()


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that a field's type is made of: itself, or those of its elements."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _location(root: Node, error: ErrorDetails) -> Location:
    """Where the fault lies; where a name is at fault, its entry. Somebody may also call a setting "[key]"."""
    location = error["loc"]
    is_name = location[-1:] == (_KEY,) and bool(root.find(location)[1])
    return location[:-1] if is_name else location
