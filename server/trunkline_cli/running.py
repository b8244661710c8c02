"""What the commands that run a gateway have in common: their flags, and the settings they start with."""

import argparse
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from trunkline_cli.options import RunOptions
from trunkline_server.config.checks import SURFACES
from trunkline_server.config.environment import from_environment
from trunkline_server.config.errors import ConfigError
from trunkline_server.config.loader import load
from trunkline_server.config.settings import Settings
from trunkline_server.providers.kinds import KINDS

LOG_LEVELS = ("debug", "info", "warning", "error")
MAX_PORT = 65535


def add_flags(parser: argparse.ArgumentParser, *, rest: bool, grpc: bool, probes: bool) -> None:
    """The flags for the surfaces that the command serves."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file; default: zero configuration")
    parser.add_argument("--host", metavar="ADDRESS", help="address to bind; default: as configured")
    if rest:
        parser.add_argument("--rest-port", type=port, metavar="PORT", help="REST port; 0 picks a free one")
    if grpc:
        parser.add_argument("--grpc-port", type=port, metavar="PORT", help="gRPC port; 0 picks a free one")
        parser.add_argument(
            "--allow-unauthenticated",
            action="store_true",
            default=None,
            help="serve other addresses than loopback without keys",
        )
    parser.add_argument("--log-level", choices=LOG_LEVELS, help="the least severe log line that is written")
    if probes:
        parser.add_argument(
            "--no-probe",
            dest="probe",
            action="store_false",
            help="neither look for engines on this machine nor ask providers for their models",
        )


def options_of(arguments: argparse.Namespace) -> RunOptions:
    """The flags as values; those that the command does not have are as if not given."""
    given = vars(arguments)
    return RunOptions(
        config=given["config"],
        rest_host=given["host"] if "rest_port" in given else None,
        grpc_host=given["host"] if "grpc_port" in given else None,
        rest_port=given.get("rest_port"),
        grpc_port=given.get("grpc_port"),
        allow_unauthenticated=given.get("allow_unauthenticated"),
        log_level=given["log_level"],
        probe=given.get("probe", False),
    )


def read_settings(
    options: RunOptions, environment: Mapping[str, str], surfaces: Collection[str] = SURFACES
) -> Settings | None:
    """The settings that the options lead to, or None after one line on standard error for each problem with them."""
    try:
        if options.config is None:
            return from_environment(environment, KINDS, overrides=options.overrides())
        return load(options.config, environment, KINDS, overrides=options.overrides(), surfaces=surfaces)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return None


def port(text: str) -> int:
    """A port, for argparse."""
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {MAX_PORT}")
    return int(text)


def address(text: str) -> str:
    """HOST:PORT, for argparse."""
    host, colon, number = text.rpartition(":")
    if not (host and colon and port(number)) or (":" in host and not host.startswith("[")):
        raise argparse.ArgumentTypeError("a core's address is HOST:PORT, an IPv6 host in brackets")
    return text
