"""One prompt, one answer.

    python complete.py "Good morning"

needs a running gateway (`trunkline serve`); TRUNKLINE_ADDRESS and TRUNKLINE_API_KEY say which and as whom.
"""

# ruff: noqa: T201 an example talks by printing

import os
import sys

from trunkline import Client, GatewayError

ADDRESS = os.environ.get("TRUNKLINE_ADDRESS", "localhost:50051")
API_KEY = os.environ.get("TRUNKLINE_API_KEY", "")


def main() -> None:
    """Prints the answer of the built-in model."""
    prompt = " ".join(sys.argv[1:]) or "Good morning"
    with Client(ADDRESS, api_key=API_KEY, timeout_s=30) as client:
        try:
            print(client.ask("echo", prompt))
        except GatewayError as error:
            sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
