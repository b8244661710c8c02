"""One trace from the caller's span to the provider's socket, whichever way the request takes."""

from contextlib import suppress

import aiohttp
import openai
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import trunkline
from openai_client import HELLO, openai_client
from otlp_collector import OtlpCollector, plain_attributes, running_collector
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from trunkline.context import CallContext
from trunkline.v1 import CompleteRequest
from upstream import Script, answers, fails, running_upstream, streams

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"


async def by_rest(gateway: RunningGateway, traceparent: str) -> None:
    headers = {"traceparent": traceparent, "tracestate": "vendor=1"}
    async with aiohttp.ClientSession(headers=headers) as session:
        body = {"model": "m", "messages": HELLO, "stream": True}
        async with session.post(f"{gateway.rest_url}/chat/completions", json=body) as response:
            assert (await response.text()).endswith("[DONE]\n\n")


async def by_grpc(gateway: RunningGateway, traceparent: str) -> None:
    async with trunkline.AsyncClient(gateway.grpc_address) as client:
        context = CallContext(traceparent=traceparent, tracestate="vendor=1")
        await client.complete(CompleteRequest(model="m", prompt="Hi"), context=context)


def one(spans: list[Span], name: str) -> Span:
    (found,) = (span for span in spans if span.name.startswith(name))
    return found


async def traced(collector: OtlpCollector, form: Form, ask: str, traceparent: str) -> tuple[list[Span], str]:
    """The spans of a request that falls back once, and the trace context that the second provider got."""
    async with (
        running_upstream(fails(500, {"message": "down"})) as first,
        running_upstream(answers("one two")) as second,
    ):
        settings = settings_for({"a": first.base_url, "b": second.base_url})
        providers = {
            name: provider.model_copy(update={"send_trace_context": name == "b"})
            for name, provider in settings.providers.items()
        }
        telemetry = settings.telemetry.model_copy(update={"otlp_endpoint": collector.grpc_endpoint})
        settings = settings.model_copy(update={"providers": providers, "telemetry": telemetry})
        async with running_gateway(settings, form=form) as gateway:
            await (by_rest if ask == "REST" else by_grpc)(gateway, traceparent)
        assert "traceparent" not in first.calls[0].headers
        return collector.spans, second.calls[0].headers["traceparent"]


@pytest.mark.parametrize(("form", "ask"), [*((form, "REST") for form in FORMS), ("in process", "gRPC")])
async def test_a_request_is_one_trace_with_its_caller_and_every_attempt(form: Form, ask: str) -> None:
    async with running_collector() as collector:
        spans, sent_on = await traced(collector, form, ask, TRACEPARENT)
    request, first, second = (
        one(spans, "completion"),
        *sorted((span for span in spans if span.name.startswith("chat")), key=lambda span: span.start_time_unix_nano),
    )
    surfaces = [span for span in spans if span not in (request, first, second)]
    assert len(surfaces) == (2 if form == "over gRPC" else 1)
    assert {span.trace_id.hex() for span in spans} == {TRACE_ID}
    assert request.parent_span_id in {span.span_id for span in surfaces}
    assert PARENT_ID in {span.parent_span_id.hex() for span in surfaces}
    assert request.trace_state == "vendor=1"
    assert {first.parent_span_id, second.parent_span_id} == {request.span_id}
    assert sent_on == f"00-{TRACE_ID}-{second.span_id.hex()}-01"
    assert plain_attributes(second.attributes)["gen_ai.usage.input_tokens"] == 5
    assert plain_attributes(second.attributes)["gen_ai.usage.output_tokens"] == 7
    for span in (request, first):
        assert not [name for name in plain_attributes(span.attributes) if name.startswith("gen_ai.usage")]
    assert plain_attributes(first.attributes)["error.type"]
    assert (first.status.code, request.status.code) == (2, 0)


@pytest.mark.parametrize("form", FORMS)
async def test_an_unsampled_caller_is_passed_on_and_nothing_is_exported(form: Form) -> None:
    async with running_collector() as collector:
        spans, sent_on = await traced(collector, form, "REST", f"00-{TRACE_ID}-{PARENT_ID}-00")
    assert spans == []
    assert sent_on.startswith(f"00-{TRACE_ID}-")
    assert sent_on.endswith("-00")


async def test_the_gateways_own_trace_is_named_in_the_report_and_the_ledger() -> None:
    async with running_collector() as collector, running_upstream(answers()) as up:
        settings = settings_for({"a": up.base_url}, telemetry={"otlp_endpoint": collector.grpc_endpoint})
        async with running_gateway(settings) as gateway, trunkline.AsyncClient(gateway.grpc_address) as client:
            answer = await client.complete(CompleteRequest(model="m", prompt="Hi"))
            record = gateway.ledger.records[0]
        assert answer.report.trace_id == f"{record.trace.trace_id:032x}"
        assert {span.trace_id.hex() for span in collector.spans} == {answer.report.trace_id}


async def by_the_sdk(gateway: RunningGateway, *, stream: bool = False) -> None:
    async with openai_client(gateway) as client:
        with suppress(openai.APIError):
            answer = await client.chat.completions.create(model="m", messages=HELLO, stream=stream)
            if isinstance(answer, openai.AsyncStream):
                _ = [chunk async for chunk in answer]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("script", "spans"), [(answers(), 0), (fails(400, {"message": "no"}), 3)])
async def test_what_the_ratio_leaves_out_is_recorded_if_it_fails(
    form: Form, script: Script, spans: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    async with running_collector() as collector, running_upstream(script) as up:
        settings = settings_for({"a": up.base_url}, telemetry={"otlp_endpoint": collector.grpc_endpoint})
        async with running_gateway(settings, form=form) as gateway:
            await by_the_sdk(gateway)
    assert len(collector.spans) == spans + (form == "over gRPC" and spans > 0)
    assert len({span.trace_id for span in collector.spans}) == min(spans, 1)


async def test_a_slow_request_is_recorded_and_has_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    async with running_collector() as collector, running_upstream(streams(["canary"] * 3, pause_s=0.05)) as up:
        telemetry = {"otlp_endpoint": collector.grpc_endpoint, "slow_request_s": 0.1}
        async with running_gateway(settings_for({"a": up.base_url}, telemetry=telemetry)) as gateway:
            await by_the_sdk(gateway, stream=True)
            (record,) = gateway.ledger.records
    assert {span.trace_id.hex() for span in collector.spans} == {f"{record.trace.trace_id:032x}"}
    (line,) = [line for line in caplog.messages if "was slow" in line]
    assert record.request_id in line
    assert '"target":"a/m"' in line
    assert "canary" not in line


@pytest.mark.parametrize("send", [True, False])
@pytest.mark.parametrize("form", FORMS)
async def test_baggage_goes_to_the_providers_that_are_to_get_it(form: Form, *, send: bool) -> None:
    async with running_upstream(answers()) as up:
        settings = settings_for({"a": up.base_url})
        provider = settings.providers["a"].model_copy(update={"send_baggage": send})
        settings = settings.model_copy(update={"providers": {"a": provider}})
        async with running_gateway(settings, form=form) as gateway:
            headers = {"baggage": "team=search,shard=7"}
            async with aiohttp.ClientSession(headers=headers) as session:
                body = {"model": "m", "messages": HELLO}
                async with session.post(f"{gateway.rest_url}/chat/completions", json=body) as response:
                    assert response.status == 200
            async with trunkline.AsyncClient(gateway.grpc_address) as client:
                await client.complete(
                    CompleteRequest(model="m", prompt="Hi"), context=CallContext(baggage="team=search,shard=7")
                )
    expected = "team=search,shard=7" if send else None
    assert [call.headers.get("baggage") for call in up.calls] == [expected, expected]
    assert all("traceparent" not in call.headers for call in up.calls)
