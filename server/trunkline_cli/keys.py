"""`trunkline keys`: makes virtual keys, and the digests that the configuration keeps of them."""

import argparse
import getpass
import re
import sys
from typing import Final

from trunkline.secret import Secret
from trunkline_cli.options import EXIT_OK, EXIT_USAGE
from trunkline_cli.output import write_out
from trunkline_server.config.settings import NAME_PATTERN
from trunkline_server.governance.keys import MIN_SECRET_CHARS, digest_of, new_key

EXAMPLE_NAME: Final = "my-key"
MAX_SECRET_CHARS: Final = 4096

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its two actions."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a key and print it once, with its entry for the configuration")
    hashing = actions.add_parser("hash", help="read a secret from standard input, or ask for it, and print its digest")
    for action, run_action in ((new, _new), (hashing, _hash)):
        action.add_argument(
            "--name", default=EXAMPLE_NAME, type=_name, metavar="NAME", help="the key's name in the configuration"
        )
        action.set_defaults(action=run_action)
    # Taken so that it can be refused with more than a usage line.
    hashing.add_argument("secrets", nargs="*", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Prints a digest and the entry for the configuration, and a new key before them."""
    try:
        arguments.action(arguments)
    except _RefusedError as error:
        print(f"trunkline: {error}", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


class _RefusedError(Exception):
    """Why there is no digest; the text never holds the secret."""


def _new(arguments: argparse.Namespace) -> None:
    key = new_key()
    print("The key is shown this once; its entry for the configuration stands below it.", file=sys.stderr)
    write_out(key.reveal(), _entry(arguments.name, key))


def _hash(arguments: argparse.Namespace) -> None:
    if arguments.secrets:
        raise _RefusedError(
            "a secret is not taken from the command line, where the process list and the shell's history show it: "
            "choose another one and give it on standard input"
        )
    secret = _read_secret()
    write_out(digest_of(secret), _entry(arguments.name, secret))


def _read_secret() -> Secret:
    if sys.stdin.isatty():
        text = getpass.getpass("Secret: ")
    else:
        text = sys.stdin.read(MAX_SECRET_CHARS + 2).removesuffix("\n").removesuffix("\r")
    if not _VISIBLE_ASCII.fullmatch(text):
        raise _RefusedError("a secret is one line of visible ASCII characters without a space: no other can be sent")
    if not MIN_SECRET_CHARS <= len(text) <= MAX_SECRET_CHARS:
        raise _RefusedError(
            f"a secret has {MIN_SECRET_CHARS} to {MAX_SECRET_CHARS} characters, drawn at random: "
            "`trunkline keys new` makes one"
        )
    return Secret(text)


def _entry(name: str, key: Secret) -> str:
    return f"keys:\n  - name: {name}\n    digest: {digest_of(key)}"


def _name(text: str) -> str:
    if not re.fullmatch(NAME_PATTERN, text):
        raise argparse.ArgumentTypeError("a name has letters, digits, dots, underscores and hyphens")
    return text
