"""`trunkline bridge`: the REST surface alone, before a core elsewhere."""

import argparse
import os
from dataclasses import replace

from trunkline_cli.options import EXIT_STARTUP
from trunkline_cli.run import run_bridge
from trunkline_cli.running import add_flags, address, options_of, read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its flags."""
    parser.add_argument("--core", type=address, required=True, metavar="HOST:PORT", help="where the core serves gRPC")
    add_flags(parser, rest=True, grpc=False, probes=False)


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    # A bridge has no keys to check and no providers to call: the core decides about callers, so the bridge may listen
    # anywhere, and credentials in its environment are none of its business.
    options = replace(options_of(arguments), allow_unauthenticated=True)
    settings = read_settings(options, os.environ if options.config else {})
    if settings is None:
        return EXIT_STARTUP
    return run_bridge(arguments.core, settings)
