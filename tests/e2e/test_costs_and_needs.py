"""What a request costs is told everywhere, and it goes only where it can be served."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson
import pytest

import trunkline
from running_gateway import FORMS, Form, running_gateway, settings_for
from trunkline.errors import GatewayError, UnsupportedByModelError
from trunkline.v1 import CompleteRequest, Cost, CostSource, Role
from trunkline_server.config.settings import Settings
from upstream import Answer, Script, Upstream, running_upstream

VERSION = "genai-prices 0.2.3"
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 500,
    "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 400},
}
# 600 at $2.50, 400 at $1.25 and 500 at $10 for a million.
COST = Cost(
    nano_usd=7_000_000,
    input_nano_usd=2_000_000,
    output_nano_usd=5_000_000,
    source=CostSource.COST_SOURCE_COMPUTED,
    price_version=VERSION,
)
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def answering(usage: object = USAGE, tier: str = "default") -> Script:
    """A provider that says "Hello", whole or in a stream, and what it used."""

    async def script(answer: Answer) -> None:
        head = {"id": "c-1", "created": 1, "model": answer.call.json["model"], "service_tier": tier}
        if not answer.call.json.get("stream"):
            message = {"role": "assistant", "content": "Hello"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            await answer.json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
            return
        chunk = {**head, "object": "chat.completion.chunk"}
        await answer.start_stream()
        await answer.frame({**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}}]})
        await answer.frame({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        await answer.frame({**chunk, "choices": [], "usage": usage})
        await answer.frame(b"[DONE]")
        await answer.end_stream()

    return script


def settings_of(up: Upstream, route: Sequence[str], targets: Mapping[str, object] | None = None) -> Settings:
    """Model "m" goes to these targets of the provider "p", which is of the kind openai."""
    provider = {"kind": "openai", "base_url": up.base_url, "api_key": "sk-test"}
    return settings_for({}, models={"m": route}, providers={"p": provider}, targets=targets or {})


def with_image(model: str = "m") -> dict[str, Any]:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    return {"model": model, "messages": [{"role": "user", "content": parts}]}


async def ask(rest_url: str, body: object) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{rest_url}/chat/completions", json=body) as response:
        return response.status, orjson.loads(await response.read())


@pytest.mark.parametrize("form", FORMS)
async def test_a_rest_call_tells_what_it_cost(form: Form) -> None:
    async with (
        running_upstream(answering()) as up,
        running_gateway(settings_of(up, ["p/gpt-4o"]), form=form) as gateway,
    ):
        status, body = await ask(gateway.rest_url, {"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    shown = {
        "nano_usd": 7_000_000,
        "source": "computed",
        "input_nano_usd": 2_000_000,
        "output_nano_usd": 5_000_000,
        "price_version": VERSION,
    }
    assert status == 200
    assert body["trunkline"]["cost"] == shown
    assert [attempt["cost"] for attempt in body["trunkline"]["attempts"]] == [shown]
    assert gateway.ledger.records[0].cost == COST


async def test_a_grpc_call_tells_what_it_cost_whole_and_streamed() -> None:
    async with (
        running_upstream(answering()) as up,
        running_gateway(settings_of(up, ["p/gpt-4o"])) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        request = CompleteRequest(model="m", prompt="Hi")
        whole = await client.complete(request)
        async with client.stream(request) as events:
            finished = [event.finished async for event in events if event.HasField("finished")]
    assert whole.cost == COST
    assert whole.report.attempts[0].cost == COST
    assert finished[0].cost == COST


async def test_cost_is_counted_by_model_target_and_project() -> None:
    async with running_upstream(answering()) as up, running_gateway(settings_of(up, ["p/gpt-4o"])) as gateway:
        await ask(gateway.rest_url, {"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
        root = gateway.rest_url.removesuffix("/v1")
        async with aiohttp.ClientSession() as session, session.get(f"{root}/metrics") as response:
            page = await response.text()
    [line] = [line for line in page.splitlines() if line.startswith("trunkline_cost_usd_total{")]
    assert 'trunkline_target="p/gpt-4o"' in line
    assert float(line.rpartition(" ")[2]) == 0.007


@pytest.mark.parametrize(
    ("model", "tier"),
    [("no-such-model", "default"), ("gpt-4o", "scale")],  # a tier whose prices nobody lists
)
async def test_what_nobody_knows_the_price_of_has_no_cost(model: str, tier: str) -> None:
    async with (
        running_upstream(answering(tier=tier)) as up,
        running_gateway(settings_of(up, [f"p/{model}"])) as gateway,
    ):
        _, body = await ask(gateway.rest_url, {"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    assert "cost" not in body["trunkline"]
    assert body["usage"]["total_tokens"] == 1500
    assert gateway.ledger.records[0].cost is None


async def test_a_contract_price_counts_and_says_so() -> None:
    contract = {"p/no-such-model": {"prices": {"input_usd_per_million": 1, "output_usd_per_million": 2}}}
    async with (
        running_upstream(answering()) as up,
        running_gateway(settings_of(up, ["p/no-such-model"], targets=contract)) as gateway,
    ):
        _, body = await ask(gateway.rest_url, {"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    assert body["trunkline"]["cost"] == {
        "nano_usd": 2_000_000,
        "source": "configured",
        "input_nano_usd": 1_000_000,
        "output_nano_usd": 1_000_000,
    }


async def test_an_answer_without_usage_costs_what_is_estimated() -> None:
    async with running_upstream(answering(None)) as up, running_gateway(settings_of(up, ["p/gpt-4o"])) as gateway:
        _, body = await ask(gateway.rest_url, {"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    assert body["trunkline"]["cost"]["source"] == "estimated"
    assert body["trunkline"]["cost"]["nano_usd"] > 0


async def test_a_cut_stream_costs_what_came_of_it() -> None:
    async def script(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame({"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "x" * 400}}]})
        answer.hang_up()

    async with (
        running_upstream(script) as up,
        running_gateway(settings_of(up, ["p/gpt-4o"])) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        async with client.stream(CompleteRequest(model="m", prompt="Hi")) as events:
            with pytest.raises(GatewayError) as caught:
                await events.answer()
        report = caught.value.report
        assert report is not None
        [attempt] = report.attempts
        assert attempt.usage.estimated
        assert attempt.cost.source == CostSource.COST_SOURCE_ESTIMATED
        assert gateway.ledger.records[0].cost == attempt.cost


async def test_a_caller_that_leaves_has_paid_for_what_came() -> None:
    async def script(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame({"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "x" * 400}}]})
        await answer.call.closed.wait()

    async with (
        running_upstream(script) as up,
        running_gateway(settings_of(up, ["p/gpt-4o"])) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        async with client.stream(CompleteRequest(model="m", prompt="Hi")) as events:
            async for event in events:
                if event.HasField("text") or event.HasField("part_started"):
                    break
        await up.wait_until_idle()
    [record] = gateway.ledger.records
    assert record.cost is not None
    assert record.cost.source == CostSource.COST_SOURCE_ESTIMATED
    assert record.cost == record.report.attempts[0].cost


async def test_attempts_that_gave_nothing_but_used_tokens_are_paid_for() -> None:
    calls = 0
    good = answering()

    async def script(answer: Answer) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            await good(answer)
            return
        # It is billed for, but empty: the next target is asked.
        await answer.json({"id": "c", "choices": [], "usage": USAGE})

    async with (
        running_upstream(script) as up,
        running_gateway(settings_of(up, ["p/gpt-4o", "p/gpt-4o-mini"])) as gateway,
    ):
        _, body = await ask(gateway.rest_url, {"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    # $0.15, $0.075 and $0.60 for a million of the second.
    assert [attempt["cost"]["nano_usd"] for attempt in body["trunkline"]["attempts"]] == [7_000_000, 420_000]
    assert body["trunkline"]["cost"]["nano_usd"] == 7_420_000
    assert body["usage"]["total_tokens"] == 1500


async def test_an_image_goes_to_the_target_that_sees_without_calling_the_other() -> None:
    async with (
        running_upstream(answering()) as up,
        running_gateway(settings_of(up, ["p/gpt-3.5-turbo", "p/gpt-4o"])) as gateway,
    ):
        status, body = await ask(gateway.rest_url, with_image())
    assert status == 200
    assert [call.json["model"] for call in up.calls] == ["gpt-4o"]
    assert body["trunkline"]["target"] == "p/gpt-4o"
    assert body["trunkline"]["passed_over"] == [
        {"target": "p/gpt-3.5-turbo", "need": "images", "field": "messages[0].parts[1].image"}
    ]


async def test_if_no_target_sees_the_caller_learns_it_at_once() -> None:
    async with (
        running_upstream(answering()) as up,
        running_gateway(settings_of(up, ["p/gpt-3.5-turbo", "p/o3-mini"])) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        status, body = await ask(gateway.rest_url, with_image())
        request = CompleteRequest(model="m")
        request.messages.add(role=Role.ROLE_USER).parts.add().image.media.url = PIXEL
        with pytest.raises(UnsupportedByModelError):
            await client.complete(request)
    assert status == 400
    assert body["error"]["message"] == (
        "no target of m can do this: p/gpt-3.5-turbo lacks images, p/o3-mini lacks images"
    )
    assert up.calls == []


async def test_more_output_than_the_model_gives_is_asked_for_as_much_as_it_gives() -> None:
    async with (
        running_upstream(answering()) as up,
        running_gateway(settings_of(up, ["p/gpt-4o"])) as gateway,
    ):
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 99_999}
        _, body = await ask(gateway.rest_url, asked)
    assert up.calls[0].json["max_completion_tokens"] == 16_384
    [note] = body["trunkline"]["attempts"][0]["notes"]
    assert (note["field"], note["action"], note["sent"]) == ("max_output_tokens", "rewritten", "16384")


@pytest.mark.parametrize("form", FORMS)
async def test_the_list_of_models_tells_what_they_can_do_and_cost(form: Form) -> None:
    async with running_upstream(answering()) as up:
        settings = settings_of(up, ["p/gpt-4o"])
        async with (
            running_gateway(settings, form=form) as gateway,
            trunkline.AsyncClient(gateway.grpc_address) as client,
            aiohttp.ClientSession() as session,
        ):
            async with session.get(f"{gateway.rest_url}/models/p/gpt-4o") as response:
                shown = orjson.loads(await response.read())
            model = await client.model("p/gpt-4o")
    assert (shown["object"], shown["owned_by"], shown["shutdown_date"]) == ("model", "openai", "2027-01-14")
    more = shown["trunkline"]
    assert more["capabilities"]["input_modalities"] == ["text", "image", "document"]
    assert "json_schema" in more["capabilities"]["features"]
    assert more["capabilities"]["max_output_tokens"] == 16_384
    assert more["pricing"] == {
        "input_nano_usd_per_million": 2_500_000_000,
        "output_nano_usd_per_million": 10_000_000_000,
        "cache_read_nano_usd_per_million": 1_250_000_000,
        "price_version": VERSION,
    }
    assert model.capabilities.max_output_tokens == 16_384
    assert model.pricing.price_version == VERSION
