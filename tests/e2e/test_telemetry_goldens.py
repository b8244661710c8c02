"""What a collector gets of a request, whatever becomes of it and whichever way it came: spans and metrics, whole."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from golden_files import check_golden
from otlp_collector import OtlpCollector, plain_attributes, plain_span, running_collector
from running_gateway import Form, running_gateway, settings_for
from session_client import session_with
from telemetry_cases import (
    ANSWER,
    CALLER_ID,
    CASES,
    PROMPT,
    TRACE_ID,
    TRACEPARENT,
    Surface,
    play,
    providers_of,
    settings_of,
)
from trunkline.secret import Secret
from trunkline.v1 import CompleteRequest, ConverseRequest, StartCommand
from trunkline_server.governance.keys import digest_of
from upstream import answers, running_upstream

GOLDENS = Path(__file__).parent / "goldens" / "telemetry"
WAYS: dict[str, tuple[Surface, Form]] = {
    "rest": ("REST", "in process"),
    "rest_split": ("REST", "over gRPC"),
    "grpc": ("gRPC", "in process"),
}
KEY, PROVIDER_KEY = "tl-canary-client-5d1f8a0000", "sk-canary-provider-7c2e9b"
SECRETS = (KEY, PROVIDER_KEY)
REQUEST_TRACE_ID, REQUEST_CALLER_ID = "1af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

# What differs from run to run.
_VARYING = {
    "trunkline.request_id": "<id>",
    "trunkline.overhead_us": "<us>",
    "trunkline.queued_us": "<us>",
    "server.port": "<port>",
    "gen_ai.response.time_to_first_chunk": "<s>",
}
# Figures of the machine.
_OF_THE_PROCESS = ("process.", "trunkline.gc.", "trunkline.event_loop.", "trunkline.target.retries_left")


async def collected(case: str, way: str, collector: OtlpCollector, **telemetry: object) -> None:
    """Plays a case with everything exported to the collector."""
    surface, form = WAYS[way]
    async with AsyncExitStack() as stack:
        providers = await providers_of(CASES[case], stack)
        settings = settings_of(
            CASES[case],
            providers.urls,
            api_key=PROVIDER_KEY,
            telemetry={"otlp_endpoint": collector.grpc_endpoint, **telemetry},
            keys=[{"name": "k", "digest": digest_of(Secret(KEY)), "project": "p", "team": "t"}],
        )
        gateway = await stack.enter_async_context(running_gateway(settings, form=form))
        await play(CASES[case], surface, gateway, providers, KEY)


def told(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spans without what differs from run to run; parents by name, caller first."""
    names = {span["span_id"]: span["name"] for span in spans} | {CALLER_ID: "the caller's span"}
    depth = {CALLER_ID: 0}
    left = list(spans)
    while left:
        found = [span for span in left if span["parent_span_id"] in depth]
        assert found, "a span without a parent"
        depth |= {span["span_id"]: depth[span["parent_span_id"]] + 1 for span in found}
        left = [span for span in left if span not in found]
    ordered = sorted(spans, key=lambda span: (depth[span["span_id"]], span["start_ns"]))
    return [
        {
            "name": span["name"],
            "kind": span["kind"],
            "parent": names[span["parent_span_id"]],
            "parent_is_remote": span["parent_is_remote"],
            "status": span["status"],
            "attributes": steady(span["attributes"]),
            "events": [{"name": event["name"], **steady(event["attributes"])} for event in span["events"]],
        }
        for span in ordered
    ]


def steady(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: _VARYING.get(name, value) for name, value in attributes.items()}


def counted(metrics: list[Metric]) -> dict[str, Any]:
    """Sums by name and attributes; of a histogram how many values it took."""
    found: dict[str, Any] = {}
    for metric in metrics:
        if metric.name.startswith(_OF_THE_PROCESS):
            continue
        data = getattr(metric, str(metric.WhichOneof("data")))
        for point in data.data_points:
            attributes = json.dumps(steady(plain_attributes(point.attributes)))
            value = point.count if metric.WhichOneof("data") == "histogram" else point.as_double or point.as_int
            found[f"{metric.name} {attributes}"] = value
    return dict(sorted(found.items()))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
async def test_each_end_has_its_spans_on_each_way(case: str, way: str) -> None:
    async with running_collector() as collector:
        await collected(case, way, collector)
        spans = [plain_span(span) for span in collector.spans]
    assert {span["trace_id"] for span in spans} == {TRACE_ID}
    assert all(span["start_ns"] <= span["end_ns"] for span in spans)
    text = json.dumps(told(spans), indent=2) + "\n"
    check_golden(GOLDENS / f"{case}.{way}.json", text)
    for canary in (PROMPT, ANSWER, *SECRETS):
        assert canary not in repr(collector)


async def test_a_sessions_requests_have_traces_of_their_own_linked_to_its_span() -> None:
    """One goes on with the trace that its command names, the other begins one."""
    named = f"00-{REQUEST_TRACE_ID}-{REQUEST_CALLER_ID}-01"
    async with running_collector() as collector, running_upstream(answers(f"{ANSWER} two")) as upstream:
        settings = settings_for({"a": upstream.base_url}, telemetry={"otlp_endpoint": collector.grpc_endpoint})
        async with running_gateway(settings) as gateway:
            async with session_with(gateway, traceparent=TRACEPARENT) as wire:
                request = CompleteRequest(model="m", prompt=PROMPT)
                wire.send(ConverseRequest(request_id="x", start=StartCommand(request=request, traceparent=named)))
                await wire.ended("x")
                wire.send(ConverseRequest(request_id="y", start=StartCommand(request=request)))
                await wire.ended("y")
                wire.half_close()
                await wire.over()
            await asyncio.sleep(0.02)
        spans = [plain_span(span) for span in collector.spans]
    by_trace: dict[str, list[dict[str, Any]]] = {}
    for span in sorted(spans, key=lambda span: int(span["start_ns"])):
        by_trace.setdefault(span["trace_id"], []).append(span)
    ids = {span["span_id"]: span["name"] for span in spans}
    callers = {"": "", CALLER_ID: "the session's caller", REQUEST_CALLER_ID: "the request's caller"}
    text = json.dumps(
        [
            [
                {
                    "name": span["name"],
                    "kind": span["kind"],
                    "parent": {**ids, **callers}[span["parent_span_id"]],
                    "links": [ids[link] for link in span["links"]],
                    "attributes": steady(span["attributes"]),
                }
                for span in found
            ]
            for found in by_trace.values()
        ],
        indent=2,
    )
    assert list(by_trace)[:2] == [TRACE_ID, REQUEST_TRACE_ID]
    check_golden(GOLDENS / "session.json", text + "\n")
    assert PROMPT not in repr(collector)
    assert ANSWER not in repr(collector)


@pytest.mark.parametrize("case", CASES)
async def test_each_end_has_its_figures(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental/dup")
    async with running_collector() as collector:
        await collected(case, "rest", collector)
        text = json.dumps(counted(collector.metrics), indent=2) + "\n"
    check_golden(GOLDENS / f"{case}.metrics.json", text)


@pytest.mark.parametrize("case", CASES)
async def test_http_brings_the_same_as_grpc(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental/dup")
    async with running_collector() as collector:
        collector.grpc_endpoint = collector.http_endpoint
        await collected(case, "rest", collector, logs=True)
        spans = [plain_span(span) for span in collector.spans]
        figures = counted(collector.metrics)
        lines = [record.event_name for record in collector.logs if record.event_name]
    check_golden(GOLDENS / f"{case}.rest.json", json.dumps(told(spans), indent=2) + "\n")
    check_golden(GOLDENS / f"{case}.metrics.json", json.dumps(figures, indent=2) + "\n")
    attempts = sum(span["name"].startswith("chat") for span in spans)
    assert lines == ["trunkline.request"] + ["trunkline.attempt"] * attempts
    for canary in (PROMPT, ANSWER, *SECRETS):
        assert canary not in repr(collector)
