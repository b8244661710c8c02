import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

from golden_files import check_golden
from otlp_collector import plain_attributes, plain_span, running_collector
from settled_records import CANARY, CASES, fallback, plain, silent
from trunkline import __version__
from trunkline.v1 import AttemptOutcome
from trunkline_server.config.settings import TelemetrySettings
from trunkline_server.telemetry import names
from trunkline_server.telemetry.peers import Peer
from trunkline_server.telemetry.tracing import start_tracing
from trunkline_server.values.record import RequestRecord

GOLDENS = Path(__file__).parent / "goldens"
PEERS = {
    "openai": Peer("openai", "api.openai.com", 443),
    "vllm-a": Peer("vllm", "10.0.0.7", 8000),
    "echo": Peer("echo"),
}


async def exported(record: RequestRecord) -> list[dict[str, Any]]:
    """The record's spans as a collector gets them."""
    async with running_collector() as collector:
        tracing = start_tracing(TelemetrySettings(otlp_endpoint=collector.grpc_endpoint), PEERS)
        tracing.settled(record)
        await tracing.shutdown()
        return [plain_span(span) for span in collector.spans]


@pytest.mark.parametrize("case", CASES)
async def test_a_request_and_its_attempts_are_the_spans_of_its_golden(case: str) -> None:
    text = json.dumps(await exported(CASES[case]()), indent=2) + "\n"
    check_golden(GOLDENS / f"{case}.json", text)
    assert CANARY not in text


async def test_only_attempts_carry_what_backends_count() -> None:
    request, *attempts = await exported(fallback())
    assert not [name for name in request["attributes"] if name.startswith("gen_ai.")]
    assert [names.USAGE_INPUT_TOKENS in attempt["attributes"] for attempt in attempts] == [False, True]


async def test_the_resource_and_scope_say_who_speaks_and_in_which_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    async with running_collector() as collector:
        tracing = start_tracing(
            TelemetrySettings(otlp_endpoint=collector.grpc_endpoint, service_name="gateway-a"), PEERS
        )
        tracing.settled(plain())
        await tracing.shutdown()
        (group,) = collector.resource_spans
        (scope,) = group.scope_spans
    resource = plain_attributes(group.resource.attributes)
    assert resource["service.name"] == "gateway-a"
    assert resource["service.version"] == __version__
    assert resource["deployment.environment.name"] == "test"
    assert scope.scope == InstrumentationScope(name="trunkline", version=__version__)
    assert scope.schema_url == "https://opentelemetry.io/schemas/gen-ai/1.42.0"


async def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-the-environment")
    async with running_collector() as collector:
        settings = TelemetrySettings(otlp_endpoint=collector.grpc_endpoint, service_name="configured")
        tracing = start_tracing(settings, PEERS)
        tracing.settled(plain())
        await tracing.shutdown()
        resource = plain_attributes(collector.resource_spans[0].resource.attributes)
    assert resource["service.name"] == "from-the-environment"


async def test_of_a_resumed_answer_the_last_giver_has_the_response() -> None:
    record = fallback()
    record.report.attempts[0].outcome = AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED
    _, *attempts = await exported(record)
    assert [names.RESPONSE_ID in attempt["attributes"] for attempt in attempts] == [False, True]


async def test_an_attempt_that_failed_without_saying_why_is_still_an_error() -> None:
    record = silent()
    record.report.attempts[0].ClearField("failure")
    _, attempt = await exported(record)
    assert attempt["status"] == "ERROR"
    assert attempt["attributes"][names.ERROR_TYPE] == "timed_out"


async def test_a_provider_that_is_not_configured_any_more_goes_by_its_name() -> None:
    record = plain()
    record.report.attempts[0].provider = "gone"
    _, attempt = await exported(record)
    assert attempt["attributes"][names.PROVIDER_NAME] == "gone"
