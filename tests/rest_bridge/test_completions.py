"""The older completions API through the real OpenAI SDK, over every form of the gateway."""

import openai as sdk
import pytest
from openai import AsyncOpenAI

from fake_gateway import FakeGateway, batch, begun, failed, greeting, said, started
from trunkline.errors import OverloadedError


async def test_the_sdk_reads_a_whole_completion(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    answer = await openai.completions.create(model="fast", prompt="Say it", max_tokens=9, temperature=0)
    assert (answer.object, answer.id, answer.model) == ("text_completion", "cmpl-1", "fake-1")
    assert [(choice.text, choice.finish_reason) for choice in answer.choices] == [("Hello", "stop")]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 7
    assert (gateway.calls[-1].method, gateway.asked.max_output_tokens) == ("complete", 9)


async def test_the_sdk_reads_a_streamed_completion(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    gateway.script = greeting("Hel", "lo", " you")
    stream = await openai.completions.create(
        model="fast", prompt="Say it", stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = [chunk async for chunk in stream]
    assert [chunk.choices[0].text for chunk in chunks] == ["Hel", "lo", " you", ""]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert last.usage is not None
    assert (last.choices, last.usage.total_tokens) == ([], 7)


async def test_a_completion_that_breaks_off_is_an_error(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    error = OverloadedError("too much")
    gateway.script = [batch(started(), begun(), said("Hel")), batch(failed(error)), error]
    stream = await openai.completions.create(model="fast", prompt="Say it", stream=True)
    assert (await anext(stream)).choices[0].text == "Hel"
    with pytest.raises(sdk.APIError, match="too much"):
        await anext(stream)


async def test_several_prompts_are_several_requests(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        await openai.completions.create(model="fast", prompt=["one", "two"])
    assert (caught.value.param, caught.value.code) == ("prompt", "invalid_value")
    assert gateway.calls == []


async def test_completions_need_the_key(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    gateway.key = "sk-right"
    with pytest.raises(sdk.AuthenticationError):
        await openai.completions.create(model="fast", prompt="Say it")
