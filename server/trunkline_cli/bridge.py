"""`trunkline bridge`: the REST surface alone, before a core elsewhere."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import grpc

from trunkline.tls import tls_credentials
from trunkline_cli.options import EXIT_STARTUP
from trunkline_cli.run import run_bridge
from trunkline_cli.running import add_flags, address, options_of, read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its flags."""
    parser.add_argument("--core", type=address, required=True, metavar="HOST:PORT", help="where the core serves gRPC")
    parser.add_argument("--core-tls", action="store_true", help="reach the core by TLS; the flags below imply it")
    parser.add_argument(
        "--core-ca",
        type=Path,
        metavar="FILE",
        help="roots that the core's certificate is checked by; else the system's",
    )
    parser.add_argument("--core-cert", type=Path, metavar="FILE", help="certificate to show to the core")
    parser.add_argument("--core-key", type=Path, metavar="FILE", help="its private key")
    add_flags(parser, rest=True, grpc=False, probes=False)


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    # A bridge has no keys to check and no providers to call: the core decides about callers, so the bridge may listen
    # anywhere, and credentials in its environment are none of its business.
    options = replace(options_of(arguments), allow_unauthenticated=True)
    settings = read_settings(options, os.environ if options.config else {}, ("rest",))
    if settings is None:
        return EXIT_STARTUP
    try:
        credentials = _credentials(arguments)
    except ValueError as error:
        print(f"trunkline: the core cannot be reached by TLS: {error}", file=sys.stderr)
        return EXIT_STARTUP
    return run_bridge(arguments.core, settings, credentials)


def _credentials(arguments: argparse.Namespace) -> grpc.ChannelCredentials | None:
    ca_file, cert_file, key_file = arguments.core_ca, arguments.core_cert, arguments.core_key
    if not (arguments.core_tls or ca_file or cert_file or key_file):
        return None
    return tls_credentials(ca_file=ca_file, cert_file=cert_file, key_file=key_file)
