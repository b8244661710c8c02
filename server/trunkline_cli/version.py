"""`trunkline version`: which version is installed."""

import argparse
from importlib.metadata import version

from trunkline_cli.options import EXIT_OK
from trunkline_cli.output import write_out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes nothing."""


def run(arguments: argparse.Namespace) -> int:
    """Prints the version."""
    write_out(f"trunkline {version('trunkline')}")
    return EXIT_OK
