"""A real Jaeger: one trace from the caller's span to every attempt, with tokens, through Jaeger's own query API."""

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import trunkline
from openai_client import HELLO, openai_client
from running_gateway import Form, RunningGateway, running_gateway, settings_for
from trunkline.context import CallContext
from trunkline.v1 import CompleteRequest
from upstream import USAGE, answers, fails, running_upstream

pytestmark = pytest.mark.jaeger

PATIENCE_S = 20.0
HTTP, RPC = "POST /v1/chat/completions", "trunkline.v1.CompletionService/Complete"


@dataclass
class Jaeger:
    """A running one."""

    query_url: str
    otlp_endpoint: str

    async def trace(self, trace_id: str, spans: int) -> list[dict[str, Any]]:
        """The spans of a trace, once so many have arrived."""
        found: list[dict[str, Any]] = []
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
            while len(found) < spans:
                await asyncio.sleep(0.2)
                async with session.get(f"{self.query_url}/api/traces/{trace_id}") as response:
                    if response.status == 200:
                        found = (await response.json())["data"][0]["spans"]
        return found


@pytest.fixture
async def jaeger(tmp_path: Path) -> AsyncIterator[Jaeger]:
    program = os.environ.get("JAEGER", "") or shutil.which("jaeger")
    if not program:
        pytest.skip("no Jaeger: `make jaeger-test` builds one where Go is installed")
    async with running_jaeger(program, tmp_path) as found:
        yield found


@asynccontextmanager
async def running_jaeger(program: str, directory: Path) -> AsyncIterator[Jaeger]:
    query, query_grpc, otlp, otlp_http = free_ports(4)
    config = {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_query": {
                "storage": {"traces": "memory"},
                "http": {"endpoint": f"127.0.0.1:{query}"},
                "grpc": {"endpoint": f"127.0.0.1:{query_grpc}"},
            },
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 1000}}}},
        },
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"127.0.0.1:{otlp}"},
                    "http": {"endpoint": f"127.0.0.1:{otlp_http}"},
                }
            }
        },
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
    }
    (directory / "jaeger.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        program,
        "--config",
        str(directory / "jaeger.yaml"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    found = Jaeger(f"http://127.0.0.1:{query}", f"http://127.0.0.1:{otlp}")
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    async with session.get(f"{found.query_url}/api/services") as response:
                        if response.status == 200:
                            break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
        yield found
    finally:
        process.terminate()
        await process.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@asynccontextmanager
async def traced_gateway(jaeger: Jaeger, *, form: Form = "in process") -> AsyncIterator[RunningGateway]:
    """One whose first provider is down, so that each trace has two attempts."""
    async with (
        running_upstream(fails(500, {"message": "down"})) as first,
        running_upstream(answers("one two three")) as second,
    ):
        settings = settings_for(
            {"a": first.base_url, "b": second.base_url},
            telemetry={"otlp_endpoint": jaeger.otlp_endpoint},
            breaker={"min_samples": 1000},
        )
        async with running_gateway(settings, form=form) as gateway:
            yield gateway


async def test_a_grpc_client_with_a_span_of_its_own_is_the_root(jaeger: Jaeger) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "caller"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=jaeger.otlp_endpoint)))
    async with traced_gateway(jaeger) as gateway, trunkline.AsyncClient(gateway.grpc_address) as client:
        with provider.get_tracer("caller").start_as_current_span("ask") as span:
            carrier: dict[str, str] = {}
            TraceContextTextMapPropagator().inject(carrier)
            request = CompleteRequest(model="m", prompt="Hi")
            answer = await client.complete(request, context=CallContext(traceparent=carrier["traceparent"]))
        trace_id = f"{span.get_span_context().trace_id:032x}"
    await asyncio.to_thread(provider.shutdown)
    assert answer.report.trace_id == trace_id
    check_trace(await jaeger.trace(trace_id, spans=5), surface=RPC, root="ask")


async def test_the_openai_sdk_and_curl_have_traces_too(jaeger: Jaeger) -> None:
    async with traced_gateway(jaeger) as gateway:
        async with openai_client(gateway) as client:
            stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
            chunks = [chunk async for chunk in stream]
        of_the_sdk = (chunks[-1].model_extra or {})["trunkline"]["trace_id"]
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
        await curl(
            f"{gateway.rest_url}/chat/completions",
            {"model": "m", "messages": HELLO},
            {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01", "content-type": "application/json"},
        )
    for found in (of_the_sdk, trace_id):
        check_trace(await jaeger.trace(found, spans=4), surface=HTTP, root=None)


async def curl(url: str, body: object, headers: Mapping[str, str]) -> None:
    """Posts it by the program of that name, as a person would."""
    options = [option for name, value in headers.items() for option in ("--header", f"{name}: {value}")]
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--fail", "--data", json.dumps(body), *options, url, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def test_of_a_split_bridge_there_are_the_spans_of_both_processes(jaeger: Jaeger) -> None:
    async with traced_gateway(jaeger, form="over gRPC") as gateway, openai_client(gateway) as client:
        answer = await client.chat.completions.create(model="m", messages=HELLO)
        trace_id = (answer.model_extra or {})["trunkline"]["trace_id"]
    spans = await jaeger.trace(trace_id, spans=5)
    check_trace(spans, surface=RPC, root=HTTP)
    (bridge,) = [span for span in spans if span["operationName"] == HTTP]
    assert parent_of(bridge) is None


def check_trace(spans: list[dict[str, Any]], *, surface: str, root: str | None) -> None:
    """Caller, surface, request and two attempts in one line, and the tokens on the attempt that answered alone."""
    names = {span["operationName"] for span in spans}
    assert names == {"completion m", "chat m", surface, *({root} if root else ())}
    (request,) = [span for span in spans if span["operationName"] == "completion m"]
    attempts = sorted((span for span in spans if span["operationName"] == "chat m"), key=lambda span: span["startTime"])
    assert len(attempts) == 2
    assert {parent_of(span) for span in attempts} == {request["spanID"]}
    (door,) = [span for span in spans if span["operationName"] == surface]
    assert parent_of(request) == door["spanID"]
    if root:
        (caller,) = [span for span in spans if span["operationName"] == root]
        assert parent_of(door) == caller["spanID"]
    tags = [{tag["key"]: tag["value"] for tag in span["tags"]} for span in attempts]
    assert tags[0]["error.type"] == "provider_unavailable"
    assert tags[0]["http.response.status_code"] == 500
    assert tags[1]["gen_ai.usage.input_tokens"] == USAGE["prompt_tokens"]
    assert tags[1]["gen_ai.usage.output_tokens"] == USAGE["completion_tokens"]
    assert not [tag["key"] for tag in request["tags"] if tag["key"].startswith("gen_ai.usage")]


def parent_of(span: dict[str, Any]) -> str | None:
    return next((ref["spanID"] for ref in span["references"] if ref["refType"] == "CHILD_OF"), None)
