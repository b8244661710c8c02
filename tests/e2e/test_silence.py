"""A model that is silent for long: clients see that their request lives, and hear the truth of how it ends."""

import asyncio
import json

import aiohttp
import openai
import pytest

import trunkline
from openai_client import HELLO, openai_client
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from trunkline.channel import ChannelGateway, open_channel
from trunkline.context import CallContext
from trunkline.errors import ProviderSilentError
from trunkline.v1 import CompleteRequest
from trunkline_server.config.settings import Settings
from upstream import Answer, Script, hangs, running_upstream, streams

ASK = {"model": "m", "messages": HELLO, "stream": True}


def settings_of(url: str, **timeouts: float) -> Settings:
    """Signs of life come soon."""
    return settings_for(
        {"a": url}, rest={"port": 0, "early_headers_s": 0.05}, timeouts={"heartbeat_s": 0.05, **timeouts}
    )


def after(seconds: float, script: Script) -> Script:
    async def waits(answer: Answer) -> None:
        await asyncio.sleep(seconds)
        await script(answer)

    return waits


async def frames_of(gateway: RunningGateway) -> list[str]:
    """What a REST client is sent, comments included."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway.rest_url}/chat/completions", json=ASK) as response,
    ):
        assert response.status == 200
        *frames, end = (await response.text()).split("\n\n")
        assert end == ""
        return frames


@pytest.mark.parametrize("form", FORMS)
async def test_a_silent_model_is_waited_for_with_signs_of_life(form: Form) -> None:
    async with (
        running_upstream(after(1.2, streams(["one", "two"]))) as up,
        running_gateway(settings_of(up.base_url), form=form) as gateway,
    ):
        comments = [frame for frame in await frames_of(gateway) if not frame.startswith("data: ")]
        assert comments
        assert set(comments) == {": heartbeat"}
        async with openai_client(gateway, timeout_s=0.8) as client:  # which gives up after so long a silence
            stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
            assert "".join([part.choices[0].delta.content or "" async for part in stream]) == "one two"


async def test_over_grpc_they_are_heartbeats() -> None:
    async with (
        running_upstream(after(0.3, streams(["one", "two"]))) as up,
        running_gateway(settings_of(up.base_url)) as gateway,
        open_channel(gateway.grpc_address) as channel,
    ):
        batches = ChannelGateway(channel).stream(CompleteRequest(model="m", prompt="Hi"), CallContext())
        events = [event async for batch in batches for event in batch.events]
        beats = [event for event in events if event.HasField("heartbeat")]
        assert beats
        assert events[: len(beats)] == beats
        async with trunkline.AsyncClient(gateway.grpc_address) as client:
            answer = await client.stream(CompleteRequest(model="m", prompt="Hi")).answer()
        assert trunkline.text_of(answer) == "one two"


@pytest.mark.parametrize("form", FORMS)
async def test_a_failure_after_signs_of_life_is_told_inside_the_stream(form: Form) -> None:
    async with (
        running_upstream(hangs()) as up,
        running_gateway(settings_of(up.base_url, first_token_s=0.3), form=form) as gateway,
    ):
        *comments, last = await frames_of(gateway)
        assert set(comments) == {": heartbeat"}
        told = json.loads(last.removeprefix("data: "))
        assert told["error"]["code"] == "provider_silent"
        assert [attempt["outcome"] for attempt in told["trunkline"]["attempts"]] == ["timed_out"]
        async with trunkline.AsyncClient(gateway.grpc_address) as client:
            with pytest.raises(ProviderSilentError):
                await client.stream(CompleteRequest(model="m", prompt="Hi")).answer()
        await up.wait_until_idle()


@pytest.mark.parametrize("form", FORMS)
async def test_an_sdk_that_waits_no_longer_hears_why_and_does_not_ask_again(form: Form) -> None:
    async with (
        running_upstream(hangs()) as up,
        running_gateway(settings_of(up.base_url), form=form) as gateway,
        openai_client(gateway, timeout_s=2, max_retries=2) as client,
    ):
        with pytest.raises(openai.InternalServerError) as caught:  # and not its own APITimeoutError
            await client.chat.completions.create(model="m", messages=HELLO)
        assert caught.value.status_code == 504
        assert caught.value.code == "deadline_exceeded"
        assert len(up.calls) == 1
        await up.wait_until_idle()
