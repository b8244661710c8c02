"""One trace from the caller's span to the provider's socket, whichever way the request takes."""

import aiohttp
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import trunkline
from openai_client import HELLO
from otlp_collector import OtlpCollector, plain_attributes, running_collector
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from trunkline.context import CallContext
from trunkline.v1 import CompleteRequest
from upstream import answers, fails, running_upstream

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
    assert len(spans) == 3
    assert {span.trace_id.hex() for span in spans} == {TRACE_ID}
    assert request.parent_span_id.hex() == PARENT_ID
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
