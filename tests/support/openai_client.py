"""The real OpenAI SDK, pointed at a running gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
from openai.types.chat import ChatCompletionMessageParam

from running_gateway import RunningGateway

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say something"}]


@asynccontextmanager
async def openai_client(
    gateway: RunningGateway, *, api_key: str = "none", timeout_s: float = 20, max_retries: int = 0
) -> AsyncIterator[openai.AsyncOpenAI]:
    """Without retries of its own, unless asked for, so that a test sees each failure itself."""
    client = openai.AsyncOpenAI(base_url=gateway.rest_url, api_key=api_key, max_retries=max_retries, timeout=timeout_s)
    async with client:
        yield client
