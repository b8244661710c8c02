"""GET /metrics: what is counted of requests, as Prometheus reads it, in process and split, and under whose names."""

import asyncio
from contextlib import suppress

import aiohttp
import pytest

import trunkline
from metrics_page import Figures, figure, figures_of
from openai_client import HELLO, openai_client
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from trunkline.context import CallContext
from trunkline.v1 import CompleteRequest
from trunkline_server.governance.keys import digest_of, new_key
from trunkline_server.telemetry.instruments import MAX_SERIES
from trunkline_server.telemetry.request_metrics import MAX_ANSWERED
from upstream import answers, fails, in_turn, running_upstream

NAMES = 10_000
AT_ONCE = 50


@pytest.mark.parametrize("form", FORMS)
async def test_what_happens_is_counted(form: Form) -> None:
    async with (
        running_upstream(in_turn(fails(500, {"message": "x"}), answers("one two"), answers("one two"))) as first,
        running_upstream(answers("three")) as second,
    ):
        urls = {"a": first.base_url, "b": second.base_url}
        settings = settings_for(urls, retries={"max_retries": 1, "backoff_s": 0.01})
        async with running_gateway(settings, form=form) as gateway:
            async with openai_client(gateway) as client:
                await client.chat.completions.create(model="m", messages=HELLO)
                stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
                _ = [chunk async for chunk in stream]
            async with trunkline.AsyncClient(gateway.grpc_address) as grpc:
                with pytest.raises(trunkline.GatewayError):
                    await grpc.complete(CompleteRequest(model="a name nobody configured", prompt="Hi"))
            figures = await figures_of(gateway)
    requests = "trunkline_requests_total"
    assert figure(figures, requests, model="m", outcome="answered", stream="false", error_type="") == 1
    assert figure(figures, requests, model="m", outcome="answered", stream="true", error_type="") == 1
    assert figure(figures, requests, model="", outcome="failed", error_type="not_found") == 1
    assert figure(figures, "trunkline_attempts_total", target="a/m", outcome="failed") == 1
    assert figure(figures, "trunkline_attempts_total", target="a/m", outcome="answered") == 2
    assert figure(figures, "trunkline_retries_total", target="a/m", error_type="provider_unavailable") == 1
    assert figure(figures, "trunkline_tokens_total", target="a/m", token_type="input") == 10
    assert figure(figures, "trunkline_tokens_total", target="a/m", token_type="output") == 14
    assert (
        figure(figures, "trunkline_request_duration_seconds_count", model="m", outcome="answered", stream="true") == 1
    )
    assert figure(figures, "trunkline_request_time_to_first_token_seconds_count", model="m") == 1
    # Three chunks came, maybe some of them together.
    assert figure(figures, "gen_ai_client_operation_time_to_first_chunk_seconds_count") == 1
    assert figure(figures, "trunkline_target_breaker", target="a/m") == 0
    assert figure(figures, "trunkline_requests_in_flight") == 0
    assert figure(figures, "gen_ai_client_token_usage_count", gen_ai_token_type="input") == 2
    assert figure(figures, "process_cpu_time_seconds_total") > 0


async def test_metrics_need_a_key_where_there_are_keys() -> None:
    secret = new_key()
    settings = settings_for({}, keys=[{"name": "k", "digest": digest_of(secret)}])
    async with running_gateway(settings) as gateway:
        async with (
            aiohttp.ClientSession() as session,
            session.get(gateway.rest_url.removesuffix("/v1") + "/metrics") as response,
        ):
            assert response.status == 401
        assert await figures_of(gateway, secret.reveal())


async def ask_for_many(gateway: RunningGateway, provider: str, count: int) -> None:
    """So many models of an open provider, then the one that is configured."""
    names = iter(range(count))

    async def ask() -> None:
        for number in names:
            await asked(gateway, f"{provider}/made-up-{number}")

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(ask())
    await asked(gateway, "m")


async def asked(gateway: RunningGateway, model: str) -> None:
    with suppress(trunkline.GatewayError):
        await gateway.core.engine.complete(CompleteRequest(model=model, prompt="Hi"), CallContext())


def series_of(figures: Figures) -> dict[str, int]:
    """How many series each metric has."""
    found: dict[str, set[frozenset[tuple[str, str]]]] = {}
    for name, labels in figures:
        found.setdefault(name, set()).add(frozenset(pair for pair in labels if pair[0] != "le"))
    return {name: len(series) for name, series in found.items()}


@pytest.mark.parametrize(
    ("provider", "count", "most"),
    [("a", 1000, 2), ("echo", NAMES, MAX_ANSWERED + 2)],
    ids=["that refuses them", "that answers to any"],
)
async def test_made_up_models_of_a_provider_crowd_out_none(provider: str, count: int, most: int) -> None:
    refuses = fails(404, {"message": "no such model"})
    async with running_upstream(refuses) as up, running_gateway(settings_for({"a": up.base_url})) as gateway:
        await ask_for_many(gateway, provider, count)
        figures = await figures_of(gateway)
    # Of tokens there is a series for each kind.
    assert {name: series for name, series in series_of(figures).items() if series > 2 * most} == {}
    assert max(series_of(figures).values()) <= MAX_SERIES
    assert figure(figures, "trunkline_requests_total", model="m") == 1
    assert figure(figures, "trunkline_attempts_total", target="a/m") == 1
    requests = sum(value for (name, _), value in figures.items() if name == "trunkline_requests_total")
    assert requests == count + 1
