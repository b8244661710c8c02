"""Many prompts at once over one connection, each with its own outcome.

    python async_many.py one two three

needs a running gateway (`trunkline serve`); TRUNKLINE_ADDRESS and TRUNKLINE_API_KEY say which and as whom.
"""

# ruff: noqa: T201 an example talks by printing

import asyncio
import os
import sys

from trunkline import AsyncClient, GatewayError

ADDRESS = os.environ.get("TRUNKLINE_ADDRESS", "localhost:50051")
API_KEY = os.environ.get("TRUNKLINE_API_KEY", "")


async def main() -> None:
    """Prints the answers in the order of their prompts."""
    prompts = sys.argv[1:] or ["one", "two", "three"]
    async with AsyncClient(ADDRESS, api_key=API_KEY, timeout_s=30) as client:
        answers = await asyncio.gather(*(outcome(client, prompt) for prompt in prompts))
    for prompt, answer in zip(prompts, answers, strict=True):
        print(f"{prompt}: {answer}")


async def outcome(client: AsyncClient, prompt: str) -> str:
    """The answer, or why there is none."""
    try:
        return await client.ask("echo", prompt)
    except GatewayError as error:
        return f"failed, {error}"


if __name__ == "__main__":
    asyncio.run(main())
