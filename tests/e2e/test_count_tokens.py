"""CountTokens: the provider's own count where there is one, else an estimate that says so."""

from collections.abc import Awaitable, Callable, Mapping

import pytest

from running_gateway import running_gateway, settings_for
from trunkline import AsyncClient
from trunkline.errors import (
    BadKeyError,
    DeadlineError,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    RejectedByProviderError,
)
from trunkline.v1 import CompleteRequest, CountTokensResponse
from trunkline_server.config.settings import Settings
from upstream import Answer, running_upstream

Script = Callable[[Answer], Awaitable[None]]
REQUEST = CompleteRequest(model="m", prompt="x" * 40)
ESTIMATE = CountTokensResponse(input_tokens=14, estimated=True, target="g/gemini-3-flash")


def gemini_settings(base_url: str, keys: tuple[str, ...] = ("k1",)) -> Settings:
    provider = {"kind": "gemini", "base_url": base_url, "api_keys": list(keys)}
    return settings_for({}, models={"m": ["g/gemini-3-flash"]}, providers={"g": provider})


async def counted(
    script: Script, *, timeout_s: float | None = None, keys: tuple[str, ...] = ("k1",)
) -> tuple[CountTokensResponse | GatewayError, list[Mapping[str, object]], list[str]]:
    """What the client gets, and the bodies and keys that the provider saw."""
    async with (
        running_upstream(script) as upstream,
        running_gateway(gemini_settings(upstream.base_url, keys)) as gateway,
        AsyncClient(gateway.grpc_address) as client,
    ):
        found: CountTokensResponse | GatewayError
        try:
            found = await client.count_tokens(REQUEST, timeout_s=timeout_s)
        except GatewayError as error:
            found = error
        await upstream.wait_until_idle(1)
        assert gateway.core.engine.admission.requests == 0
        assert gateway.ledger.records == []
        assert {call.path for call in upstream.calls} == {"/v1/models/gemini-3-flash:countTokens"}
        return (
            found,
            [call.json for call in upstream.calls],
            [call.headers["x-goog-api-key"] for call in upstream.calls],
        )


async def test_the_provider_counts_the_request_as_it_would_get_it() -> None:
    async def script(answer: Answer) -> None:
        await answer.json({"totalTokens": 31, "cachedContentTokenCount": 0})

    found, bodies, _ = await counted(script)
    assert found == CountTokensResponse(input_tokens=31, cache_read_tokens=0, target="g/gemini-3-flash")
    (body,) = bodies
    asked = body["generateContentRequest"]
    assert isinstance(asked, dict)
    assert asked["model"] == "models/gemini-3-flash"
    assert asked["contents"] == [{"role": "user", "parts": [{"text": "x" * 40}]}]


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_key_that_is_refused_is_passed_over(status: int) -> None:
    async def script(answer: Answer) -> None:
        if answer.call.headers["x-goog-api-key"] == "k1":
            await answer.json({"error": {"code": status, "message": "no", "status": "X"}}, status)
        else:
            await answer.json({"totalTokens": 9})

    found, _, keys = await counted(script, keys=("k1", "k2"))
    assert found == CountTokensResponse(input_tokens=9, target="g/gemini-3-flash")
    assert keys == ["k1", "k2"]


async def fails(answer: Answer) -> None:
    await answer.json({"error": {"code": 500, "message": "oh", "status": "INTERNAL"}}, 500)


async def has_no_such_method(answer: Answer) -> None:
    await answer.json({"error": {"code": 404, "message": "no", "status": "NOT_FOUND"}}, 404)


async def says_nonsense(answer: Answer) -> None:
    await answer.json({"totalTokens": "many"})


async def says_no_json(answer: Answer) -> None:
    await answer.json(b"<html>")


async def hangs_up(answer: Answer) -> None:
    answer.reset()


async def has_no_end(answer: Answer) -> None:
    await answer.json(b" " * 100_000)


@pytest.mark.parametrize("script", [fails, has_no_such_method, says_nonsense, says_no_json, hangs_up, has_no_end])
async def test_where_the_provider_does_not_count_it_is_estimated(script: Script) -> None:
    found, _, _ = await counted(script)
    assert found == ESTIMATE


async def test_a_request_that_the_provider_refuses_is_the_callers_to_mend() -> None:
    async def script(answer: Answer) -> None:
        await answer.json({"error": {"code": 400, "message": "bad part", "status": "INVALID_ARGUMENT"}}, 400)

    found, _, _ = await counted(script)
    assert isinstance(found, RejectedByProviderError)
    assert "bad part" in found.message


async def test_a_deadline_that_passes_is_told_and_closes_the_connection() -> None:
    async def script(answer: Answer) -> None:
        await answer.call.closed.wait()

    found, _, _ = await counted(script, timeout_s=0.3)
    assert isinstance(found, DeadlineError)


async def test_other_dialects_are_estimated() -> None:
    async with (
        running_gateway(settings_for({})) as gateway,
        AsyncClient(gateway.grpc_address) as client,
    ):
        found = await client.count_tokens(CompleteRequest(model="echo", prompt="x" * 40))
        assert found == CountTokensResponse(input_tokens=14, estimated=True, target="echo/echo")


async def test_it_needs_a_key_a_model_and_a_request() -> None:
    digest = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of "foo"
    settings = settings_for({}, keys=[{"name": "k", "digest": digest}])
    async with running_gateway(settings) as gateway:
        async with AsyncClient(gateway.grpc_address, api_key="bar") as client:
            with pytest.raises(BadKeyError):
                await client.count_tokens(REQUEST)
        async with AsyncClient(gateway.grpc_address, api_key="foo") as client:
            with pytest.raises(NotFoundError):
                await client.count_tokens(REQUEST)
            with pytest.raises(InvalidRequestError):
                await client.count_tokens(CompleteRequest(model="echo"))
