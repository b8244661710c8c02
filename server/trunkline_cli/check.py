"""`trunkline check`: says whether a configuration is right, without serving it."""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from trunkline_cli.options import EXIT_OK, EXIT_STARTUP
from trunkline_cli.output import write_out
from trunkline_server.config.errors import ConfigError
from trunkline_server.config.loader import load
from trunkline_server.config.settings import Listen, Settings
from trunkline_server.providers.kinds import KINDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration file")


def run(arguments: argparse.Namespace) -> int:
    """Prints a summary, or every problem on standard error."""
    try:
        settings = load(arguments.file, os.environ, KINDS)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_STARTUP
    write_out(summary(settings))
    return EXIT_OK


def summary(settings: Settings) -> str:
    """What the settings amount to, by name; never a credential, nor an address that may lead to one."""
    providers = (f"{name} ({provider.kind})" for name, provider in settings.providers.items())
    return "\n".join(
        [
            "ok",
            f"rest: {_listening(settings.rest)}",
            f"grpc: {_listening(settings.grpc)}",
            f"providers: {_listed(providers)}",
            f"models: {_listed([*settings.models, *(['echo'] if settings.echo else [])])}",
            f"keys: {_listed(key.name for key in settings.keys)}",
        ]
    )


def _listening(surface: Listen) -> str:
    tls = "" if not surface.tls else " with TLS and client certificates" if surface.tls.client_ca_file else " with TLS"
    return f"{surface.host}:{surface.port}{tls}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
