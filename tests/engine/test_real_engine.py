"""The gateway in front of a real inference server. Run by `make engine-test`; see engine_server.py for what it needs."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from openai.types.chat import ChatCompletionMessageParam

import trunkline
from engine_server import Engine, tiny_engine
from openai_client import openai_client
from running_gateway import FORMS, Form, RunningGateway, running_gateway
from trunkline.v1 import CompleteRequest, FinishReason
from trunkline_server.config.settings import Settings

pytestmark = pytest.mark.engine

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Which trunk carries the calls?"}]
LONG = 20_000
"""Tokens that take the engine half a minute: far more than a cancelled request may be given."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with tiny_engine() as engine:
        yield engine


@pytest.fixture(params=FORMS)
async def gateway(request: pytest.FixtureRequest, engine: Engine) -> AsyncIterator[RunningGateway]:
    form: Form = request.param
    settings = Settings.model_validate(
        {
            "rest": {"port": 0},
            "grpc": {"port": 0},
            "providers": {"engine": {"kind": "vllm", "base_url": engine.base_url}},
            "models": {"tiny": {"targets": [f"engine/{engine.model}"]}},
        }
    )
    async with running_gateway(settings, form=form) as gateway:
        yield gateway


async def until_idle(engine: Engine) -> None:
    """Waits until the engine generates nothing; fails long before it could have finished by itself."""
    async with asyncio.timeout(5):
        while await asyncio.to_thread(engine.running_requests):  # noqa: ASYNC110 the engine has no way to tell
            await asyncio.sleep(0.05)


async def test_the_openai_sdk_gets_a_whole_answer_and_a_stream(gateway: RunningGateway) -> None:
    async with openai_client(gateway, timeout_s=60) as client:
        whole = await client.chat.completions.create(model="tiny", messages=ASK, max_tokens=24, temperature=0)
        stream = await client.chat.completions.create(
            model="tiny",
            messages=ASK,
            max_tokens=24,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert whole.usage is not None
    assert whole.choices[0].message.content
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert streamed == whole.choices[0].message.content
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens > 0


async def test_grpc_stubs_get_a_whole_answer_and_a_stream(gateway: RunningGateway) -> None:
    request = CompleteRequest(
        model="tiny", prompt="Which trunk carries the calls?", temperature=0, max_output_tokens=24
    )
    async with trunkline.AsyncClient(gateway.grpc_address) as client:
        whole = await client.complete(request)
        async with client.stream(request) as events:
            texts = [event.text async for event in events]
    assert trunkline.text_of(whole) == "".join(texts) != ""
    assert whole.choices[0].finish_reason in (FinishReason.FINISH_REASON_LENGTH, FinishReason.FINISH_REASON_STOP)
    assert 0 < whole.usage.output_tokens <= 24
    assert not whole.usage.estimated
    assert whole.report.target == "engine/tiny-vllm"


async def test_twenty_at_once_are_answered(gateway: RunningGateway) -> None:
    async with openai_client(gateway, timeout_s=120) as client:
        answers = await asyncio.gather(
            *(client.chat.completions.create(model="tiny", messages=ASK, max_tokens=16) for _ in range(20))
        )
    assert all(answer.usage is not None and 0 < answer.usage.completion_tokens <= 16 for answer in answers)


async def test_a_forced_tool_call_comes_back_whole(gateway: RunningGateway) -> None:
    async with openai_client(gateway, timeout_s=60) as client:
        answer = await client.chat.completions.create(
            model="tiny",
            messages=ASK,
            max_tokens=200,
            tool_choice="required",
            tools=[
                {
                    "type": "function",
                    "function": {
                        "name": "find_route",
                        "parameters": {
                            "type": "object",
                            "properties": {"fast": {"type": "boolean"}},
                            "required": ["fast"],
                            "additionalProperties": False,
                        },
                        "strict": True,
                    },
                }
            ],
        )
    choice = answer.choices[0]
    assert choice.finish_reason in ("tool_calls", "length")
    if choice.finish_reason == "tool_calls":
        assert choice.message.tool_calls
        assert choice.message.tool_calls[0].type == "function"


async def test_a_rest_client_that_leaves_stops_the_engine(gateway: RunningGateway, engine: Engine) -> None:
    async with openai_client(gateway, timeout_s=60) as client:
        stream = await client.chat.completions.create(
            model="tiny", messages=ASK, max_tokens=LONG, stream=True, extra_body={"ignore_eos": True}
        )
        await anext(aiter(stream))
        assert await asyncio.to_thread(engine.running_requests) == 1
        await stream.close()
    await until_idle(engine)


async def test_a_grpc_client_that_leaves_stops_the_engine(gateway: RunningGateway, engine: Engine) -> None:
    request = CompleteRequest(model="tiny", prompt="Hi", max_output_tokens=LONG)
    request.extensions["vllm"] = '{"ignore_eos": true}'
    async with trunkline.AsyncClient(gateway.grpc_address) as client, client.stream(request) as events:
        seen = 0
        async for event in events:
            seen += bool(event.text)
            if seen == 3:
                break
        assert await asyncio.to_thread(engine.running_requests) == 1
    await until_idle(engine)


async def test_a_deadline_stops_the_engine(gateway: RunningGateway, engine: Engine) -> None:
    request = CompleteRequest(model="tiny", prompt="Hi", max_output_tokens=LONG)
    request.extensions["vllm"] = '{"ignore_eos": true}'
    async with trunkline.AsyncClient(gateway.grpc_address) as client:
        with pytest.raises(trunkline.errors.DeadlineError):
            await client.complete(request, timeout_s=1)
    await until_idle(engine)
