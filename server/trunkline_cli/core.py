"""`trunkline core`: the core with its gRPC surface; bridges stand before it."""

import argparse
import os

from trunkline_cli.options import EXIT_STARTUP
from trunkline_cli.run import run_core
from trunkline_cli.running import add_flags, options_of, read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its flags."""
    add_flags(parser, rest=False, grpc=True, probes=True)


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    options = options_of(arguments)
    settings = read_settings(options, os.environ, ("grpc",))
    if settings is None:
        return EXIT_STARTUP
    return run_core(settings, options)
