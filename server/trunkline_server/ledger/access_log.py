"""The ledger as lines of JSON: one for each request, one for each attempt. docs/ledger.md tells what they say."""

import asyncio
import logging
from typing import Any

import orjson

from trunkline.v1 import Attempt, Cost, Failure, Usage
from trunkline_server.ledger.line_writer import LineWriter
from trunkline_server.ledger.terminal_line import terminal_line
from trunkline_server.telemetry import outcomes
from trunkline_server.telemetry.timestamp import utc_time
from trunkline_server.values.record import RequestRecord

logger = logging.getLogger(__name__)

Entry = dict[str, Any]  # an entry's members are text, numbers, booleans, and lists or objects of text

MAX_TAGS = 16

_FACTS = ("cached", "joined", "resumed")
_OPTIONAL_USAGE = ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


class AccessLog:
    """Writes each settled request to a LineWriter, which may be shared; whoever made that closes it.

    Lines hold ids, names, numbers and codes: never content, secrets or what a provider wrote about an error.
    What is not known is absent.
    """

    def __init__(self, writer: LineWriter, *, human: bool = False) -> None:
        """`human`: one short line a request for a terminal, instead of JSON."""
        self._writer = writer
        self._human = human

    def record(self, record: RequestRecord) -> None:
        try:
            if self._human:
                self._writer.write(terminal_line(record).encode(errors="backslashreplace") + b"\n")
                return
            lines = [_line(request_entry(record)), *map(_line, attempt_entries(record))]
        except Exception:  # a defect here must not undo the settlement of a request that went well
            logger.exception("the access lines of request %s could not be made", record.request_id)
            return
        self._writer.write(b"".join(lines), len(lines))

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.flush)


def request_entry(record: RequestRecord) -> Entry:
    """What a request's line says."""
    report, principal, failure = record.report, record.principal, record.failure
    entry: Entry = {
        "kind": "request",
        "time": utc_time(record.started_ns / 1e9),
        "request_id": record.request_id,
        "trace_id": f"{record.trace.trace_id:032x}",
        "span_id": f"{record.trace.span_id:016x}",
        "outcome": outcomes.outcome(failure),
        "status": outcomes.status_name(failure),
        "stream": record.stream,
        "attempts": len(report.attempts),
        "duration_ms": report.duration_us / 1000,
    }
    if report.HasField("first_token_us"):
        entry["first_token_ms"] = report.first_token_us / 1000
    # What is empty, False or 0 here is not known or not so, and left out.
    if record.session_id:
        entry["session_id"] = record.session_id
    if report.overhead_us:
        entry["overhead_ms"] = report.overhead_us / 1000
    if report.queued_us:
        entry["queued_ms"] = report.queued_us / 1000
    entry["key"] = principal.key
    if principal.project:
        entry["project"] = principal.project
    if principal.team:
        entry["team"] = principal.team
    if record.model:
        entry["model"] = outcomes.bounded(record.model)
    if report.route:
        entry["route"] = report.route
    if report.target:
        entry["target"] = outcomes.bounded(report.target)
    if record.response_model:
        entry["response_model"] = outcomes.bounded(record.response_model)
    if record.finish_reasons:
        entry["finish_reasons"] = record.finish_reasons
    for name in _FACTS:
        if getattr(report, name):
            entry[name] = True
    if record.client_address:
        entry["client"] = outcomes.bounded(record.client_address)
    if record.usage is not None:
        _add_usage(entry, record.usage)
    if record.cost is not None:
        _add_cost(entry, record.cost)
    if failure is not None:
        _add_failure(entry, failure)
    if report.passed_over:
        entry["passed_over"] = [outcomes.bounded(each.target) for each in report.passed_over]
    if record.tags:
        entry["tags"] = _bounded_tags(record.tags)
    return entry


def attempt_entries(record: RequestRecord) -> list[Entry]:
    """What the lines of a request's attempts say, in the order they began."""
    attempts = zip(record.report.attempts, record.attempt_span_ids, strict=True)
    return [_attempt_entry(record, number, *found) for number, found in enumerate(attempts, start=1)]


def _attempt_entry(record: RequestRecord, number: int, attempt: Attempt, span_id: int) -> Entry:
    entry: Entry = {
        "kind": "attempt",
        "time": utc_time(record.started_ns / 1e9 + attempt.start_us / 1e6),
        "request_id": record.request_id,
        "trace_id": f"{record.trace.trace_id:032x}",
        "span_id": f"{span_id:016x}",
        "attempt": number,
        "outcome": outcomes.OUTCOMES[attempt.outcome],
        "target": outcomes.bounded(attempt.target),
        "provider": attempt.provider,
        "model": outcomes.bounded(attempt.model),
        "dialect": attempt.dialect,
        "duration_ms": attempt.duration_us / 1000,
    }
    if attempt.HasField("first_token_us"):
        entry["first_token_ms"] = attempt.first_token_us / 1000
    if attempt.http_status:
        entry["http_status"] = attempt.http_status
    if attempt.provider_request_id:
        entry["provider_request_id"] = outcomes.bounded(attempt.provider_request_id)
    if attempt.hedge:
        entry["hedge"] = True
    if attempt.notes:
        entry["notes"] = len(attempt.notes)
    if attempt.HasField("usage"):
        _add_usage(entry, attempt.usage)
    if attempt.HasField("cost"):
        _add_cost(entry, attempt.cost)
    if attempt.HasField("failure"):
        _add_failure(entry, attempt.failure)
    return entry


def _add_usage(entry: Entry, usage: Usage) -> None:
    entry["input_tokens"] = usage.input_tokens
    entry["output_tokens"] = usage.output_tokens
    for field in _OPTIONAL_USAGE:
        if usage.HasField(field):  # type: ignore[arg-type]  # wants a literal; the names stand in the table above
            entry[field] = getattr(usage, field)
    if usage.estimated:
        entry["usage_estimated"] = True


def _add_cost(entry: Entry, cost: Cost) -> None:
    if cost.HasField("nano_usd"):
        entry["cost_nano_usd"] = cost.nano_usd
        entry["cost_source"] = outcomes.COST_SOURCES.get(cost.source, "unknown")
        if cost.price_version:
            entry["price_version"] = cost.price_version


def _add_failure(entry: Entry, failure: Failure) -> None:
    entry["reason"] = outcomes.reason_name(failure)
    if code := outcomes.provider_code(failure):
        entry["provider_code"] = code


def _bounded_tags(tags: dict[str, str]) -> dict[str, str]:
    return {outcomes.bounded(name): outcomes.bounded(tags[name]) for name in sorted(tags)[:MAX_TAGS]}


def _line(entry: Entry) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
