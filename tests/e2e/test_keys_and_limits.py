"""Who may do what, and how much at once: the same on both surfaces and for every call."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import openai
import pytest

import trunkline
from openai_client import HELLO, openai_client
from running_gateway import FORMS, Form, running_gateway, settings_for
from trunkline.errors import BadKeyError, NotAllowedError, NotFoundError, OverloadedError
from trunkline.secret import Secret
from trunkline.v1 import CompleteRequest
from trunkline_server.governance.keys import digest_of
from upstream import answers, hangs, running_upstream, streams

GOOD, NARROW = "tl-good-key", "tl-narrow-key"
KEYS = [
    {"name": "good", "digest": digest_of(Secret(GOOD)), "project": "p1", "team": "t1"},
    {"name": "narrow", "digest": digest_of(Secret(NARROW)), "models": ["m"]},
]
HI = CompleteRequest(model="m", prompt="Hi")

CALLS: dict[str, Callable[[trunkline.AsyncClient], Awaitable[object]]] = {
    "Complete": lambda client: client.complete(HI),
    "StreamComplete": lambda client: client.stream(HI).answer(),
    "ListModels": lambda client: client.models(),
    "GetModel": lambda client: client.model("m"),
    "ListTargets": lambda client: client.targets(),
}
PATHS = [("POST", "/chat/completions"), ("GET", "/models"), ("GET", "/models/m"), ("GET", "/../health/targets")]


@pytest.mark.parametrize("key", ["", "tl-wrong-key"])
@pytest.mark.parametrize("call", CALLS)
async def test_every_rpc_needs_a_key(call: str, key: str) -> None:
    async with (
        running_upstream(answers()) as up,
        running_gateway(settings_for({"a": up.base_url}, keys=KEYS)) as gateway,
        trunkline.AsyncClient(gateway.grpc_address, api_key=key) as client,
    ):
        with pytest.raises(BadKeyError) as caught:
            await CALLS[call](client)
        assert "tl-wrong-key" not in str(caught.value)
        assert up.calls == []


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer tl-wrong-key"}, {"authorization": "Basic dGw6eA=="}])
@pytest.mark.parametrize("form", FORMS)
async def test_every_url_but_the_probes_needs_a_key(form: Form, headers: dict[str, str]) -> None:
    async with (
        running_upstream(answers()) as up,
        running_gateway(settings_for({"a": up.base_url}, keys=KEYS), form=form) as gateway,
        aiohttp.ClientSession(headers=headers) as session,
    ):
        for method, path in PATHS:
            body = {"model": "m", "messages": HELLO} if method == "POST" else None
            async with session.request(method, gateway.rest_url + path, json=body) as response:
                assert response.status == 401
                error = (await response.json())["error"]
                assert (error["code"], error["type"]) == ("invalid_api_key", "invalid_request_error")
        for path in ("/healthz", "/readyz"):
            async with session.get(gateway.rest_url.removesuffix("/v1") + path) as response:
                assert response.status == 200
        assert up.calls == []


@pytest.mark.parametrize("form", FORMS)
async def test_a_key_opens_both_surfaces_and_is_named_in_the_ledger(form: Form) -> None:
    async with (
        running_upstream(answers("yes")) as up,
        running_gateway(settings_for({"a": up.base_url}, keys=KEYS), form=form) as gateway,
    ):
        async with openai_client(gateway, api_key=GOOD) as client:
            answer = await client.chat.completions.create(model="m", messages=HELLO)
        assert answer.choices[0].message.content == "yes"
        async with trunkline.AsyncClient(gateway.grpc_address, api_key=GOOD) as grpc_client:
            assert await grpc_client.ask("m", "Hi") == "yes"
        for record in gateway.ledger.records:
            assert (record.principal.key, record.principal.project, record.principal.team) == ("good", "p1", "t1")
        # A client's key never reaches a provider.
        assert all(GOOD not in repr(call.headers) + call.body.decode() for call in up.calls)


async def test_a_key_reaches_no_model_but_its_own_by_no_way() -> None:
    settings = settings_for({"a": "http://127.0.0.1:9"}, models={"m": ["a/m"], "other": ["a/o"]}, keys=KEYS)
    async with (
        running_gateway(settings) as gateway,
        trunkline.AsyncClient(gateway.grpc_address, api_key=NARROW) as client,
    ):
        assert [model.id for model in await client.models()] == ["m"]
        with pytest.raises(NotFoundError):
            await client.model("other")
        for model in ("other", "a/o", "a/m", "echo"):
            with pytest.raises(NotAllowedError):
                await client.complete(CompleteRequest(model=model, prompt="Hi"))
        wish = CompleteRequest(model="m", prompt="Hi")
        wish.routing.targets.append("a/o")
        with pytest.raises(NotAllowedError):
            await client.complete(wish)
        async with openai_client(gateway, api_key=NARROW) as rest:
            with pytest.raises(openai.PermissionDeniedError):
                await rest.chat.completions.create(model="other", messages=HELLO)


@pytest.mark.parametrize("form", FORMS)
async def test_beyond_the_requests_in_flight_callers_are_told_when_to_come_back(form: Form) -> None:
    async with (
        running_upstream(hangs()) as up,
        running_gateway(
            settings_for({"a": up.base_url}, limits={"max_requests_in_flight": 2, "retry_after_s": 2}), form=form
        ) as gateway,
        openai_client(gateway) as rest,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        running = [asyncio.ensure_future(client.complete(HI)) for _ in range(2)]
        await up.wait_for_calls(2)
        with pytest.raises(OverloadedError) as caught:
            await client.complete(HI)
        assert caught.value.retry_after_ms == 2000
        with pytest.raises(openai.InternalServerError) as rest_caught:
            await rest.chat.completions.create(model="m", messages=HELLO)
        assert rest_caught.value.status_code == 503
        assert rest_caught.value.response.headers["retry-after"] == "2"
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        await up.wait_until_idle()
        up.script = answers("room again")
        assert await client.ask("m", "Hi") == "room again"


@pytest.mark.parametrize("form", FORMS)
async def test_beyond_the_bytes_in_flight_callers_are_told_when_to_come_back(form: Form) -> None:
    async with (
        running_upstream(hangs()) as up,
        running_gateway(settings_for({"a": up.base_url}, limits={"max_bytes_in_flight": 20_000}), form=form) as gateway,
        openai_client(gateway) as rest,
    ):
        first = asyncio.ensure_future(
            rest.chat.completions.create(model="m", messages=[{"role": "user", "content": "x" * 15_000}])
        )
        await up.wait_for_calls(1)
        with pytest.raises(openai.InternalServerError) as caught:
            await rest.chat.completions.create(model="m", messages=[{"role": "user", "content": "x" * 15_000}])
        assert caught.value.status_code == 503
        assert "retry-after" in caught.value.response.headers
        first.cancel()
        await asyncio.wait((first,))


@pytest.mark.parametrize("form", FORMS)
async def test_a_request_larger_than_allowed_is_413(form: Form) -> None:
    async with (
        running_upstream(answers()) as up,
        running_gateway(settings_for({"a": up.base_url}, limits={"max_request_bytes": 10_000}), form=form) as gateway,
    ):
        async with openai_client(gateway) as rest:
            with pytest.raises(openai.APIStatusError) as caught:
                await rest.chat.completions.create(model="m", messages=[{"role": "user", "content": "x" * 20_000}])
        assert caught.value.status_code == 413
        async with trunkline.AsyncClient(gateway.grpc_address) as client:
            with pytest.raises(trunkline.errors.RequestTooLargeError):
                await client.complete(CompleteRequest(model="m", prompt="x" * 20_000))
        assert up.calls == []


async def test_a_slow_caller_never_makes_a_target_look_silent() -> None:
    async with (
        running_upstream(streams(["word"] * 20)) as up,
        running_gateway(settings_for({"a": up.base_url}, timeouts={"idle_s": 0.5, "first_token_s": 5})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        async with client.stream(HI) as events:
            count = 0
            async for _ in events:
                count += 1
                if count == 3:
                    await asyncio.sleep(0.8)
        assert gateway.ledger.records[0].failure is None
