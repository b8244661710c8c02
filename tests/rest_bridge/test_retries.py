"""What makes the OpenAI SDK wait and try again, and what keeps it from that.

Its contract: 2 tries more on 408, 409, 429 and 5xx, unless `x-should-retry` says otherwise; it waits as long as
`retry-after-ms` or `retry-after` say.
"""

from collections.abc import AsyncIterator
from typing import Any

import openai as sdk
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from fake_gateway import FakeGateway, Step, batch, failed, greeting
from trunkline.errors import (
    BadKeyError,
    BudgetSpentError,
    ContextLengthError,
    DeadlineError,
    GatewayError,
    IdempotencyConflictError,
    NotFoundError,
    OverloadedError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RateLimitedError,
    RejectedByProviderError,
    ShuttingDownError,
)

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
WAIT_MS = 60


@pytest.fixture
async def retrying(base_url: str) -> AsyncIterator[AsyncOpenAI]:
    """The SDK as it comes."""
    async with AsyncOpenAI(base_url=f"{base_url}/v1", api_key="sk-test") as client:
        assert client.max_retries == 2
        yield client


def fails_with(error: GatewayError, *, stream: bool) -> list[Step]:
    return [batch(failed(error)), error] if stream else [error]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        ProviderThrottledError("x", retry_after_ms=WAIT_MS),
        RateLimitedError("x", retry_after_ms=WAIT_MS),
        OverloadedError("x", retry_after_ms=WAIT_MS),
        ShuttingDownError("x", retry_after_ms=WAIT_MS),
        ProviderUnavailableError("x", retry_after_ms=WAIT_MS),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_passes_is_tried_again_after_the_wait(
    retrying: AsyncOpenAI, gateway: FakeGateway, error: GatewayError, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.turns = [fails_with(error, stream=stream)] * 2
    waits: list[float] = []
    decide = retrying._calculate_retry_timeout

    def note(*args: Any, **more: Any) -> float:  # noqa: ANN401 passed on as they are
        waits.append(decide(*args, **more))
        return waits[-1]

    monkeypatch.setattr(retrying, "_calculate_retry_timeout", note)
    answer = await retrying.chat.completions.create(model="m", messages=MESSAGES, stream=stream)
    if isinstance(answer, sdk.AsyncStream):
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in answer]) == "Hello"
    else:
        assert answer.choices[0].message.content == "Hello"
    assert len(gateway.calls) == 3
    # As long as it was told, twice, and not the half second and more that the SDK waits by itself.
    assert waits == [WAIT_MS / 1000] * 2
    assert len({call.context.request_id for call in gateway.calls}) == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderQuotaError("x"), sdk.RateLimitError),
        (BudgetSpentError("x"), sdk.RateLimitError),
        (ProviderThrottledError("x", retry_after_ms=3_600_000), sdk.RateLimitError),
        (IdempotencyConflictError("x"), sdk.ConflictError),
        (ProviderCredentialsError("x"), sdk.InternalServerError),
        (DeadlineError("x"), sdk.InternalServerError),
        (RejectedByProviderError("x", provider_status=409), sdk.ConflictError),
        (ContextLengthError("x"), sdk.BadRequestError),
        (BadKeyError("x"), sdk.AuthenticationError),
        (NotFoundError("x"), sdk.NotFoundError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else "",
)
async def test_what_does_not_pass_is_not_tried_again(
    retrying: AsyncOpenAI, gateway: FakeGateway, error: GatewayError, kind: type[sdk.APIStatusError], stream: bool
) -> None:
    gateway.script = fails_with(error, stream=stream)
    with pytest.raises(kind) as caught:
        await retrying.chat.completions.create(model="m", messages=MESSAGES, stream=stream)
    assert len(gateway.calls) == 1
    assert caught.value.request_id == gateway.context.request_id


async def test_what_never_passes_is_tried_three_times(retrying: AsyncOpenAI, gateway: FakeGateway) -> None:
    gateway.script = [OverloadedError("x", retry_after_ms=1)]
    with pytest.raises(sdk.InternalServerError) as caught:
        await retrying.chat.completions.create(model="m", messages=MESSAGES)
    assert len(gateway.calls) == 3
    assert (caught.value.response.headers["retry-after"], caught.value.response.headers["retry-after-ms"]) == ("1", "1")


async def test_a_stream_that_has_begun_is_not_begun_again(retrying: AsyncOpenAI, gateway: FakeGateway) -> None:
    error = OverloadedError("x", retry_after_ms=1)
    gateway.script = [*greeting()[:1], batch(failed(error)), error]
    stream = await retrying.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    with pytest.raises(sdk.APIError):
        async for _ in stream:
            pass
    assert len(gateway.calls) == 1
