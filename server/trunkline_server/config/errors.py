"""What is wrong with a configuration: every problem at once, each with its place, none with a value."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend. It never holds a value of the configuration, which may be a secret in the wrong place."""

    line: int
    """From 1. 0: it has no place in a file."""
    column: int
    """From 1. 0: it has no place in a file."""
    path: str
    """The setting, such as "providers.openai.api_key" or "keys[0].digest", or an environment variable's name."""
    message: str
    """What is wrong and, where it is not plain, what to write instead."""


class ConfigError(Exception):
    """A configuration that cannot be used."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        """Where the configuration came from: a file's name, or "environment"."""
        self.problems = tuple(sorted(problems))
        """In the order of the file."""
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """One line for each problem: "file:line:column: path: message", as editors and terminals understand it."""
        return [
            ": ".join(filter(None, (self._place(problem), problem.path, problem.message))) for problem in self.problems
        ]

    def _place(self, problem: Problem) -> str:
        return f"{self.source}:{problem.line}:{problem.column}" if problem.line else self.source
