"""`trunkline schema`: the JSON Schema of a configuration file, for editors."""

import argparse
import json

from trunkline_cli.options import EXIT_OK
from trunkline_cli.output import write_out
from trunkline_server.config.schema import json_schema


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes nothing."""


def run(arguments: argparse.Namespace) -> int:
    """Prints the schema."""
    write_out(json.dumps(json_schema(), indent=2))
    return EXIT_OK
