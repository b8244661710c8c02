import asyncio
import random
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from otlp_collector import OtlpCollector, running_collector
from settled_records import ATTEMPT_SPAN_IDS, CANARY, SPAN_ID, TRACE_ID, fallback, plain
from trunkline.context import CallContext
from trunkline.trace import TraceIds
from trunkline_server.config.settings import TelemetrySettings
from trunkline_server.telemetry.otlp import TelemetryError
from trunkline_server.telemetry.sampling import Sampler
from trunkline_server.telemetry.tracing import Tracing, start_tracing
from trunkline_server.values.record import RequestRecord

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
UNCONFIGURED = TelemetrySettings()
PATIENCE_S = 8.0
"""Far more than anything here takes, and less than the 10 s that an exporter waits for its backend."""


@pytest.fixture
async def collector() -> AsyncIterator[OtlpCollector]:
    async with running_collector() as collector:
        yield collector


def to(collector: OtlpCollector) -> Tracing:
    return start_tracing(TelemetrySettings(otlp_endpoint=collector.grpc_endpoint), {})


def from_caller(flags: str = "01", tracestate: str = "") -> CallContext:
    return CallContext(traceparent=f"00-{TRACE}-{SPAN}-{flags}", tracestate=tracestate)


def unsampled() -> RequestRecord:
    record = plain()
    record.trace = TraceIds(TRACE_ID, SPAN_ID, 0, False)
    return record


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True), ("02", False)])
@pytest.mark.parametrize("exporting", [True, False])
async def test_a_request_goes_on_with_its_callers_trace(
    flags: str, *, sampled: bool, exporting: bool, collector: OtlpCollector
) -> None:
    tracing = to(collector) if exporting else Tracing()
    ids = tracing.admit(from_caller(flags, "congo=1"))
    await tracing.shutdown()
    assert ids == TraceIds(int(TRACE, 16), ids.span_id, int(SPAN, 16), sampled, "congo=1")
    assert ids.span_id not in (0, int(SPAN, 16))
    assert ids.traceparent(7) == f"00-{TRACE}-0000000000000007-0{int(sampled)}"


@pytest.mark.parametrize(
    "context", [CallContext(), CallContext(traceparent=f"ff-{TRACE}-{SPAN}-01", tracestate="congo=1")]
)
@pytest.mark.parametrize(("sampler", "sampled"), [(None, False), (Sampler(), True)])
def test_a_request_without_a_valid_caller_begins_a_trace(
    context: CallContext, sampler: Sampler | None, *, sampled: bool
) -> None:
    tracing = Tracing(sampler=sampler) if sampler else Tracing()
    ids, others = tracing.admit(context), tracing.admit(context)
    assert ids == TraceIds(ids.trace_id, ids.span_id, 0, sampled, "")
    assert len({ids.trace_id, others.trace_id, ids.span_id, others.span_id, tracing.new_span_id(), 0}) == 6


def test_ids_come_from_the_given_source() -> None:
    admitted = [Tracing(rng=random.Random(1)).admit(CallContext()) for _ in range(2)]  # noqa: S311 the same twice
    assert admitted[0] == admitted[1]


async def test_without_an_endpoint_nothing_is_exported() -> None:
    tracing = start_tracing(UNCONFIGURED, {})
    tracing.settled(plain())
    await tracing.shutdown()
    assert (tracing.exporting, tracing.dropped_spans, tracing.failed_spans) == (False, 0, 0)


@pytest.mark.parametrize(("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_the_sdks_own_switches_turn_export_off(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert not start_tracing(TelemetrySettings(otlp_endpoint="http://127.0.0.1:4317"), {}).exporting


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_the_environment_turns_export_on(
    variable: str, protocol: str, collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = collector.grpc_endpoint if protocol == "grpc" else collector.http_endpoint
    path = "/v1/traces" if protocol != "grpc" and "TRACES" in variable else ""
    monkeypatch.setenv(variable, base + path)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a")
    tracing = start_tracing(UNCONFIGURED, {})
    tracing.settled(plain())
    await tracing.shutdown()
    assert [span.span_id.hex() for span in collector.spans] == [f"{SPAN_ID:016x}", f"{ATTEMPT_SPAN_IDS[0]:016x}"]
    assert collector.headers[0]["x-tenant"] == "a"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_a_configured_endpoint_serves_both_protocols(
    protocol: str, collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol)
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_endpoint
    tracing = start_tracing(TelemetrySettings(otlp_endpoint=endpoint), {})
    tracing.settled(plain())
    await tracing.shutdown()
    assert len(collector.spans) == 2


def test_a_protocol_there_is_not_is_an_error_that_names_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    with pytest.raises(TelemetryError, match=r"OTEL_EXPORTER_OTLP_PROTOCOL must be one of grpc, http/protobuf"):
        start_tracing(TelemetrySettings(otlp_endpoint="http://127.0.0.1:4317"), {})


async def test_spans_leave_without_a_shutdown(collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    tracing = to(collector)
    tracing.settled(plain())
    assert len(await collector.wait_for_spans(2)) == 2
    await tracing.shutdown()


async def test_an_unsampled_request_is_not_exported(collector: OtlpCollector) -> None:
    tracing = to(collector)
    tracing.settled(unsampled())
    tracing.settled(plain())
    await tracing.shutdown()
    assert len(collector.spans) == 2


async def test_batches_stay_small(collector: OtlpCollector) -> None:
    tracing = to(collector)
    for _ in range(100):
        tracing.settled(plain())
    await tracing.shutdown()
    sizes = [len(group.scope_spans[0].spans) for group in collector.resource_spans]
    assert (sum(sizes), max(sizes)) == (200, 32)


async def test_a_backend_that_hangs_costs_spans_and_nothing_else(
    collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    collector.answering.clear()
    tracing = to(collector)
    for _ in range(200):
        tracing.settled(fallback())
    dropped = tracing.dropped_spans
    # At most what is under way and what waits; a request's spans are dropped together.
    assert dropped >= 600 - 8 - 8
    assert dropped % 3 == 0
    collector.answering.set()
    await tracing.shutdown()
    assert len(collector.spans) == 600 - dropped
    assert tracing.failed_spans == 0
    assert "does not keep up" in caplog.text


async def test_shutdown_does_not_wait_for_a_backend_that_hangs(
    collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    collector.answering.clear()
    tracing = to(collector)
    for _ in range(3):
        tracing.settled(plain())
    async with asyncio.timeout(PATIENCE_S):
        await tracing.shutdown(timeout_s=0.1)
    for thread in threading.enumerate():
        if thread.name == "OtelBatchSpanRecordProcessor":
            await asyncio.to_thread(thread.join, PATIENCE_S)
    assert (len(collector.spans), tracing.failed_spans) == (0, 6)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_a_backend_that_is_away_costs_spans_and_nothing_else(
    protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with socket.socket() as reserved:  # bound but not listening: connecting is refused
        reserved.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        tracing = start_tracing(TelemetrySettings(otlp_endpoint=endpoint), {})
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(20):
                tracing.settled(plain())
            await asyncio.sleep(0.05)
            await tracing.shutdown(timeout_s=0.1)
    assert "40 spans were not exported" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("value", ["0", "-1", "many"])
async def test_a_queue_size_that_is_none_is_said_and_replaced(
    value: str, collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", value)
    tracing = to(collector)
    tracing.settled(plain())
    await tracing.shutdown()
    assert len(collector.spans) == 2
    assert "OTEL_BSP_MAX_QUEUE_SIZE is not a positive whole number; 2048 is used" in caplog.text


async def test_a_record_that_contradicts_itself_is_logged_and_not_raised(
    collector: OtlpCollector, caplog: pytest.LogCaptureFixture
) -> None:
    tracing = to(collector)
    broken = plain()
    broken.attempt_span_ids = []
    tracing.settled(broken)
    tracing.settled(plain())
    await tracing.shutdown()
    assert len(collector.spans) == 2
    assert "the spans of request req_plain could not be recorded" in caplog.text


async def test_shutdown_may_be_repeated_and_what_comes_later_is_not_exported(collector: OtlpCollector) -> None:
    tracing = to(collector)
    await tracing.shutdown()
    tracing.settled(plain())
    await tracing.shutdown()
    assert collector.spans == []
