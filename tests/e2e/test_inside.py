"""Looking into a running gateway: what it is answering, and what it did for one request whose caller wants to know."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

import trunkline
from openai_client import HELLO
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from trunkline.context import CallContext
from trunkline.errors import NotAllowedError
from trunkline.v1 import CompleteRequest
from trunkline_server.governance.keys import digest_of, new_key
from upstream import Answer, Script, answers, chunk, fails, hangs, in_turn, running_upstream, streams

Phase = str


async def running(gateway: RunningGateway, key: str = "") -> tuple[int, dict[str, Any]]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(gateway.rest_url.removesuffix("/v1") + "/debug/requests") as response,
    ):
        return response.status, await response.json()


async def says_who_it_is(answer: Answer) -> None:
    """Headers and a role, but no token."""
    await answer.start_stream()
    await answer.frame(chunk({"role": "assistant", "content": ""}))
    await asyncio.Event().wait()


PHASES: dict[Phase, Callable[[], Script]] = {
    "connecting": hangs,
    "first_token": lambda: says_who_it_is,
    "streaming": lambda: streams(["word"], pause_s=0.01, forever=True),
    "waiting": lambda: fails(429, {"message": "slow down"}, {"retry-after": "2"}),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("form", FORMS)
async def test_a_running_request_is_seen_with_what_it_is_doing(form: Form, phase: Phase) -> None:
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(running_upstream(PHASES[phase]()))
        settings = settings_for({"a": up.base_url}, retries={"max_retries": 1})
        gateway = await stack.enter_async_context(running_gateway(settings, form=form))
        assert await running(gateway) == (200, {"requests": []})
        asking = asyncio.ensure_future(stream_of(gateway))
        await up.wait_for_calls(1)
        found: dict[str, Any] = {}
        for _ in range(200):
            status, body = await running(gateway)
            assert status == 200
            (found,) = body["requests"]
            if found["phase"] == phase:
                break
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait({asking})
    assert found["phase"] == phase
    assert (found["model"], found["target"], found["attempts"], found["stream"]) == ("m", "a/m", 1, True)
    assert found["request_id"] == "my-request"
    assert ("first_token_ms" in found) == (phase == "streaming")
    assert found["age_ms"] > 0
    assert found["remaining_ms"] > 0


async def stream_of(gateway: RunningGateway, headers: dict[str, str] | None = None) -> None:
    async with (
        aiohttp.ClientSession(headers={"x-request-id": "my-request", **(headers or {})}) as session,
        session.post(
            f"{gateway.rest_url}/chat/completions", json={"model": "m", "messages": HELLO, "stream": True}
        ) as response,
    ):
        await response.read()


async def test_a_request_that_queues_is_seen_as_that() -> None:
    async with running_upstream(hangs()) as up:
        settings = settings_for({"a": up.base_url}, targets={"a/m": {"max_concurrent": 1}})
        async with running_gateway(settings) as gateway:
            asking = [asyncio.ensure_future(stream_of(gateway)) for _ in range(2)]
            phases: set[object] = set()
            for _ in range(200):
                _, body = await running(gateway)
                phases = {request["phase"] for request in body["requests"]}
                if "queued" in phases:
                    break
                await asyncio.sleep(0.01)
            for each in asking:
                each.cancel()
            await asyncio.wait(asking)
    assert phases == {"connecting", "queued"}


@pytest.mark.parametrize("form", FORMS)
async def test_only_keys_that_may_look_inside_do(form: Form) -> None:
    may, may_not = new_key(), new_key()
    keys = [
        {"name": "operator", "digest": digest_of(may), "debug": True},
        {"name": "app", "digest": digest_of(may_not)},
    ]
    async with (
        running_upstream(answers()) as up,
        running_gateway(settings_for({"a": up.base_url}, keys=keys), form=form) as gateway,
        trunkline.AsyncClient(gateway.grpc_address, api_key=may_not) as client,
    ):
        assert (await running(gateway, may.reveal()))[0] == 200
        status, body = await running(gateway, may_not.reveal())
        assert status == 403
        assert "debug: true" in str(body)
        assert (await running(gateway))[0] == 401
        with pytest.raises(NotAllowedError):
            await client.complete(CompleteRequest(model="m", prompt="Hi"), context=CallContext(debug=True))
        await client.complete(CompleteRequest(model="m", prompt="Hi"))


@pytest.mark.parametrize("form", FORMS)
async def test_who_asks_for_it_finds_in_the_log_what_was_done(form: Form, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="trunkline_server")
    caplog.handler.setLevel(logging.NOTSET)
    async with running_upstream(in_turn(fails(500, {"message": "canary"}), answers("canary"))) as up:
        settings = settings_for({"a": up.base_url}, retries={"max_retries": 1, "backoff_s": 0.01})
        async with running_gateway(settings, form=form) as gateway:
            await stream_of(gateway, {"x-trunkline-debug": "true"})
            await stream_of(gateway)
    (line,) = [line for line in caplog.messages if "as its caller asked" in line]
    account = json.loads(line.partition("asked: ")[2])
    assert account["request_id"] == "my-request"
    assert [made["outcome"] for made in account["made"]] == ["failed", "answered"]
    assert [made["reason"] for made in account["made"] if "reason" in made] == ["provider_unavailable"]
    assert "canary" not in line
