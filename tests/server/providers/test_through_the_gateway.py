"""What a row of the table promises holds on a real connection, up to the answer's own report."""

import orjson
import pytest

import trunkline
from repository import ROOT
from running_gateway import running_gateway, settings_for
from trunkline.errors import ProviderThrottledError
from trunkline.v1 import CompleteRequest, CompleteResponse, Cost, CostSource, Message, Role, StateKind
from trunkline_server.config.settings import Settings
from upstream import Answer, running_upstream

GOLDENS = ROOT / "tests/goldens/openai_chat/kinds"


def settings_of(kind: str, base_url: str) -> Settings:
    provider = {"kind": kind, "base_url": base_url, "api_key": "sk-test-key"}
    return settings_for({}, models={"m": ["p/m-1"]}, providers={"p": provider})


@pytest.mark.parametrize(
    ("kind", "header", "nano_usd"),
    [
        ("openrouter", "x-request-id", 7_650_917),
        ("xai", "x-request-id", 123_457),
        ("mistral", "mistral-correlation-id", None),
        ("deepseek", "x-ds-trace-id", None),
        ("litellm", "x-litellm-call-id", None),
    ],
)
async def test_a_report_names_the_providers_request_and_its_cost(kind: str, header: str, nano_usd: int | None) -> None:
    body = orjson.loads((GOLDENS / kind / "body.json").read_bytes())

    async def script(answer: Answer) -> None:
        if answer.call.json["stream"]:
            await answer.start_stream({header: "req-7"})
            await answer.piece((GOLDENS / kind / "stream.sse").read_bytes())
            await answer.end_stream()
        else:
            await answer.json(body, headers={header: "req-7"})

    async with (
        running_upstream(script) as up,
        running_gateway(settings_of(kind, up.base_url)) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        expected = Cost(nano_usd=nano_usd, source=CostSource.COST_SOURCE_REPORTED) if nano_usd else Cost()
        request = CompleteRequest(model="m", prompt="Hi")
        async with client.stream(request) as events:
            finished = [event.finished async for event in events if event.HasField("finished")]
        for answer in (
            await client.complete(request),
            CompleteResponse(cost=finished[0].cost, report=finished[0].report),
        ):
            [attempt] = answer.report.attempts
            assert attempt.provider_request_id == "req-7"
            assert answer.cost == expected
            assert attempt.cost == expected


async def test_a_tool_loop_over_openrouter_gives_the_details_back() -> None:
    body = orjson.loads((GOLDENS / "openrouter/body.json").read_bytes())

    async def script(answer: Answer) -> None:
        await answer.json(body)

    async with (
        running_upstream(script) as up,
        running_gateway(settings_of("openrouter", up.base_url)) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        request = CompleteRequest(model="m", prompt="Hi")
        answer = await client.complete(request)
        said = answer.choices[0].message
        assert said.parts[0].state.kind == StateKind.STATE_KIND_OPENROUTER_DETAIL
        result = Message(role=Role.ROLE_TOOL)
        result.parts.add().tool_result.call_id = "toolu_1"
        await client.complete(CompleteRequest(model="m", messages=[said, result]))
        assert (
            up.calls[1].json["messages"][0]["reasoning_details"] == body["choices"][0]["message"]["reasoning_details"]
        )


async def test_a_limit_that_was_hit_tells_the_client_when_to_come_back() -> None:
    given = orjson.loads((GOLDENS / "groq/error.json").read_bytes())

    async def script(answer: Answer) -> None:
        await answer.json(given["body"], given["status"], given["headers"])

    async with (
        running_upstream(script) as up,
        running_gateway(settings_of("groq", up.base_url)) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        with pytest.raises(ProviderThrottledError) as caught:
            await client.complete(CompleteRequest(model="m", prompt="Hi"))
        assert caught.value.retry_after_ms == 62_500
