"""Records of requests that ended in every way there is, for what is made of them: spans and access lines."""

from trunkline.trace import TraceIds
from trunkline.v1 import (
    Attempt,
    AttemptOutcome,
    CompleteRequest,
    Cost,
    CostSource,
    ErrorReason,
    Failure,
    FormatKind,
    NoteAction,
    ReasoningConfig,
    ReasoningEffort,
    ResponseFormat,
    RoutingReport,
    TranslationNote,
    Usage,
)
from trunkline_server.values.principal import ANONYMOUS, Principal
from trunkline_server.values.record import RequestRecord

CANARY = "canary-of-a-prompt"
"""Stands in every text of a provider; it must be found nowhere."""

STARTED_NS = 1_795_000_000_123_456_000
TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
SPAN_ID = 0x00F067AA0BA902B7
ATTEMPT_SPAN_IDS = [0xA1, 0xA2, 0xA3]
PARENT_SPAN_ID = 0xB7AD6B7169203331

ALICE = Principal(key="alice", project="search", team="web")
ROOT = TraceIds(TRACE_ID, SPAN_ID, 0, True)


def failure(code: int, reason: "ErrorReason.ValueType", *, provider_code: str = "", status: int = 0) -> Failure:
    """With a text and a body that quote the prompt, as providers' errors may."""
    return Failure(
        code=code,
        reason=reason,
        message=f"the provider said: {CANARY}",
        native=f'{{"error": "{CANARY}"}}',
        provider_code=provider_code,
        provider_status=status,
        target="vllm-a/qwen" if status else "",
    )


def attempt(outcome: "AttemptOutcome.ValueType", *, provider: str = "openai", model: str = "gpt-5.4") -> Attempt:
    """Begins 0.3 ms after the request and takes 1.2 s."""
    return Attempt(
        target=f"{provider}/{model}",
        provider=provider,
        model=model,
        dialect="openai_chat",
        outcome=outcome,
        start_us=300,
        duration_us=1_200_000,
        http_status=200,
        provider_request_id="req-up-1",
    )


def plain() -> RequestRecord:
    """A whole answer."""
    answered = attempt(AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED)
    answered.usage.CopyFrom(Usage(input_tokens=12, output_tokens=30))
    answered.first_token_us = 1_150_000
    return RequestRecord(
        request_id="req_plain",
        trace=ROOT,
        started_ns=STARTED_NS,
        stream=False,
        principal=ALICE,
        model="fast",
        client_address="127.0.0.1",
        report=RoutingReport(
            target="openai/gpt-5.4",
            attempts=[answered],
            duration_us=1_200_700,
            first_token_us=1_150_300,
            overhead_us=700,
        ),
        attempt_span_ids=ATTEMPT_SPAN_IDS[:1],
        response_model="gpt-5.4-2026-03-05",
        response_id="chatcmpl-1",
        finish_reasons=["stop"],
        usage=answered.usage,
    )


def stream() -> RequestRecord:
    """A streamed answer with all that usage can tell, its price, and everything else that may be set."""
    record = plain()
    record.request_id, record.stream = "req_stream", True
    record.tags = {"feature": "chat"}
    record.asked = CompleteRequest(
        prompt=CANARY,
        stop=[CANARY],
        max_output_tokens=100,
        temperature=0.5,
        top_p=0.75,
        top_k=40,
        frequency_penalty=0.25,
        presence_penalty=-0.25,
        seed=0,
        choice_count=2,
        reasoning=ReasoningConfig(effort=ReasoningEffort.REASONING_EFFORT_HIGH),
        response_format=ResponseFormat(kind=FormatKind.FORMAT_KIND_JSON_SCHEMA),
    )
    report = record.report
    report.route, report.queued_us, report.resumed, report.joined, report.cached = "fast", 40, True, True, True
    answered = report.attempts[0]
    answered.first_token_us, report.first_token_us = 200_000, 200_300
    answered.usage.CopyFrom(
        Usage(input_tokens=100, output_tokens=30, cache_read_tokens=0, cache_write_tokens=64, reasoning_tokens=5)
    )
    answered.cost.CopyFrom(Cost(nano_usd=1_250_000, source=CostSource.COST_SOURCE_COMPUTED))
    answered.hedge = True
    answered.notes.append(
        TranslationNote(field="temperature", action=NoteAction.NOTE_ACTION_DROPPED, reason=CANARY, sent=CANARY)
    )
    record.usage, record.cost = answered.usage, answered.cost
    return record


def fallback() -> RequestRecord:
    """The first target is away, the second answers."""
    record = plain()
    record.request_id = "req_fallback"
    failed = attempt(AttemptOutcome.ATTEMPT_OUTCOME_FAILED, provider="vllm-a", model="qwen")
    failed.duration_us, failed.http_status = 50_000, 503
    failed.failure.CopyFrom(
        failure(14, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, provider_code="overloaded", status=503)
    )
    answered = record.report.attempts[0]
    answered.start_us = 50_400
    record.report.duration_us, record.report.first_token_us = 1_250_800, 1_200_400
    del record.report.attempts[:]
    record.report.attempts.extend([failed, answered])
    record.attempt_span_ids = ATTEMPT_SPAN_IDS[:2]
    return record


def cut() -> RequestRecord:
    """The provider breaks off inside a stream, and says something that is not a code."""
    record = stream()
    record.request_id, record.finish_reasons, record.cost, record.response_id = "req_cut", [], None, ""
    record.tags = {}
    report = record.report
    report.route, report.queued_us, report.resumed, report.joined, report.cached = "", 0, False, False, False
    failed = report.attempts[0]
    failed.outcome = AttemptOutcome.ATTEMPT_OUTCOME_FAILED
    failed.failure.CopyFrom(
        failure(14, ErrorReason.ERROR_REASON_PROVIDER_BAD_ANSWER, provider_code=f"cannot read {CANARY}", status=200)
    )
    failed.ClearField("cost")
    failed.ClearField("notes")
    failed.hedge = False
    failed.usage.CopyFrom(Usage(input_tokens=12, output_tokens=3, estimated=True))
    record.usage, record.failure = failed.usage, failed.failure
    return record


def silent() -> RequestRecord:
    """No target says anything in time."""
    record = plain()
    record.request_id, record.stream, record.usage = "req_silent", True, None
    record.response_model, record.response_id, record.finish_reasons = "", "", []
    report = record.report
    report.target = ""
    report.ClearField("first_token_us")
    timed_out = report.attempts[0]
    timed_out.outcome = AttemptOutcome.ATTEMPT_OUTCOME_TIMED_OUT
    timed_out.http_status, timed_out.provider_request_id = 0, ""
    timed_out.ClearField("first_token_us")
    timed_out.ClearField("usage")
    timed_out.failure.CopyFrom(failure(14, ErrorReason.ERROR_REASON_PROVIDER_SILENT))
    record.failure = timed_out.failure
    return record


def cancelled() -> RequestRecord:
    """The caller leaves inside a stream."""
    record = cut()
    record.request_id = "req_cancelled"
    left = record.report.attempts[0]
    left.outcome = AttemptOutcome.ATTEMPT_OUTCOME_CANCELLED
    left.ClearField("failure")
    record.failure = failure(1, ErrorReason.ERROR_REASON_CANCELLED)
    return record


def refused() -> RequestRecord:
    """There is no such model, so no attempt is made."""
    return RequestRecord(
        request_id="req_refused",
        trace=ROOT,
        started_ns=STARTED_NS,
        stream=False,
        principal=ANONYMOUS,
        model="no-such-model" + "." * 1000,
        report=RoutingReport(duration_us=180, overhead_us=180),
        failure=failure(5, ErrorReason.ERROR_REASON_NOT_FOUND),
    )


def child() -> RequestRecord:
    """The caller has a span of its own."""
    record = plain()
    record.request_id = "req_child"
    record.trace = TraceIds(TRACE_ID, SPAN_ID, PARENT_SPAN_ID, True, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7")
    return record


def in_process() -> RequestRecord:
    """The built-in model answers; no socket is involved."""
    record = plain()
    record.request_id = "req_in_process"
    answered = record.report.attempts[0]
    answered.CopyFrom(attempt(AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED, provider="echo", model="echo"))
    answered.dialect, answered.http_status, answered.provider_request_id = "echo", 0, ""
    answered.usage.CopyFrom(Usage(input_tokens=12, output_tokens=30))
    record.report.target, record.response_model = answered.target, "echo"
    return record


CASES = {case.__name__: case for case in (plain, stream, fallback, cut, silent, cancelled, refused, child, in_process)}
