"""The command line's front: which commands there are, and what happens to a command line that fits none."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final, NoReturn, Protocol, cast

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "serve REST and gRPC in one process",
    "core": "serve gRPC only: the core behind bridges",
    "bridge": "serve REST only, before a core that runs elsewhere",
    "check": "say whether a configuration file is right",
    "schema": "print the JSON Schema of a configuration file",
    "keys": "make a virtual key, or the digest of one",
    "version": "print the version",
}
"""What each command is for; each is a module of this package, loaded only when it is the one asked for."""


class Command(Protocol):
    """What the module of a command holds."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares what it takes."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Does it and gives the exit code."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code. Raises SystemExit(2) where the command line itself is wrong."""
    given = sys.argv[1:] if argv is None else list(argv)
    name = given[0] if given else ""
    command = cast(Command, import_module(f"trunkline_cli.{name}")) if name in COMMANDS else None
    parser = _parser(name, command)
    arguments, unknown = parser.parse_known_args(given)
    if unknown:
        _refuse(parser, unknown)
    if command is None:  # argparse has refused whatever is no command
        raise AssertionError(name)
    return command.run(arguments)


def _parser(chosen: str, command: Command | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trunkline",
        description="One gateway between programs and every language-model provider.",
        epilog="Exit codes: 0 well done, 2 wrong command line, 3 broken configuration or port in use.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        one = commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.", allow_abbrev=False)
        if command is not None and name == chosen:
            command.add_arguments(one)
    return parser


def _refuse(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> NoReturn:
    """argparse would repeat the arguments, and one of them may be a secret; only the names of options are safe."""
    options = [argument.partition("=")[0] for argument in unknown if argument.startswith("--")]
    parser.error(f"unknown option {', '.join(options)}" if options else "too many arguments")


if __name__ == "__main__":
    sys.exit(main())
