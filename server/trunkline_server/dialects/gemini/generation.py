"""What follows from the generation of a Gemini model, where nothing better is known of it."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from trunkline.v1 import ReasoningEffort
from trunkline_server.providers.target import Target

_VERSION: Final = re.compile(r"(?:^|/)gemini-(\d+)(?:\.(\d+))?")
# https://ai.google.dev/gemini-api/docs/models: such a name means the newest model of its size.
_LATEST: Final = re.compile(r"(?:^|/)gemini-(?:[a-z-]+-)?latest$")
_NEWEST: Final = (99, 0)

_LOW, _MEDIUM, _HIGH = (
    ReasoningEffort.REASONING_EFFORT_LOW,
    ReasoningEffort.REASONING_EFFORT_MEDIUM,
    ReasoningEffort.REASONING_EFFORT_HIGH,
)


class Generation(NamedTuple):
    """A model's version and size, read from its id."""

    version: tuple[int, int] | None
    """None: it is no Gemini model, or a tuned one whose id does not tell."""
    pro: bool
    lite: bool

    @property
    def thinks_by_level(self) -> bool:
        """Whether it takes thinkingLevel; else a thinkingBudget, if it thinks at all."""
        return self.version is not None and self.version >= (3, 0)

    @property
    def thinks_by_budget(self) -> bool:
        """Whether it takes a thinkingBudget."""
        return self.version is None or (2, 5) <= self.version < (3, 0)

    @property
    def is_before_3(self) -> bool:
        """Whether it is known to be older than Gemini 3: no JSON beside functions, no pictures in results."""
        return self.version is not None and self.version < (3, 0)

    @property
    def fetches(self) -> bool:
        """Whether the Developer API fetches for it what lies at an address of anybody's."""
        return self.version is None or self.version >= (2, 5)

    @property
    def signs_calls(self) -> bool:
        """Whether it refuses calls of the current turn that come back without their thought signature.

        https://ai.google.dev/gemini-api/docs/thought-signatures
        """
        return self.version is not None and self.version >= (3, 0)


def generation_of(target: Target) -> Generation:
    """The generation of the target's model."""
    return _read(target.model)


def efforts_of(target: Target) -> "tuple[ReasoningEffort.ValueType, ...]":
    """Efforts that the model takes, from least to most: as its facts say, else what its like are sure to take."""
    if target.facts.reasoning_efforts:
        return target.facts.reasoning_efforts
    if generation_of(target).pro:
        return (_LOW, _MEDIUM, _HIGH)
    return (ReasoningEffort.REASONING_EFFORT_MINIMAL, _LOW, _MEDIUM, _HIGH)


@lru_cache(maxsize=1024)
def _read(model: str) -> Generation:
    found = _VERSION.search(model)
    if found is not None:
        version: tuple[int, int] | None = (int(found[1]), int(found[2] or 0))
    else:
        version = _NEWEST if _LATEST.search(model) else None
    words = model.rpartition("/")[2].split("-")
    return Generation(version, "pro" in words, "lite" in words)
