"""One prompt, the answer as it comes, and then what it used.

    python stream.py "Good morning"

needs a running gateway (`trunkline serve`); TRUNKLINE_ADDRESS and TRUNKLINE_API_KEY say which and as whom.
"""

# ruff: noqa: T201 an example talks by printing

import os
import sys

from trunkline import Client, CompleteRequest

ADDRESS = os.environ.get("TRUNKLINE_ADDRESS", "localhost:50051")
API_KEY = os.environ.get("TRUNKLINE_API_KEY", "")


def main() -> None:
    """Prints each piece of text when it arrives. Leaving the `with` block early would cancel the call."""
    prompt = " ".join(sys.argv[1:]) or "Good morning"
    with (
        Client(ADDRESS, api_key=API_KEY, timeout_s=30) as client,
        client.stream(CompleteRequest(model="echo", prompt=prompt)) as answer,
    ):
        for piece in answer.texts():
            print(piece, end="", flush=True)
        whole = answer.answer()
    print(f"\n{whole.usage.input_tokens} tokens in, {whole.usage.output_tokens} out")


if __name__ == "__main__":
    main()
