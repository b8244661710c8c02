"""The `trunkline` object: what the gateway did for a request, as answers, last chunks and errors show it."""

import json
from typing import Any
from urllib.parse import quote

from trunkline.v1 import Attempt, AttemptOutcome, Cost, CostSource, ErrorReason, NoteAction, RoutingReport

Json = dict[str, Any]

TARGET = "x-trunkline-target"
ATTEMPTS = "x-trunkline-attempts"
OVERHEAD = "x-trunkline-overhead-ms"
NOTES = "x-trunkline-notes"

MAX_NOTES_HEADER_BYTES = 2048

OUTCOMES = {
    AttemptOutcome.ATTEMPT_OUTCOME_UNSPECIFIED: "not_sent",
    AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED: "answered",
    AttemptOutcome.ATTEMPT_OUTCOME_FAILED: "failed",
    AttemptOutcome.ATTEMPT_OUTCOME_TIMED_OUT: "timed_out",
    AttemptOutcome.ATTEMPT_OUTCOME_CANCELLED: "cancelled",
    AttemptOutcome.ATTEMPT_OUTCOME_OUTRUN: "outrun",
}
ACTIONS = {
    NoteAction.NOTE_ACTION_DROPPED: "dropped",
    NoteAction.NOTE_ACTION_REWRITTEN: "rewritten",
    NoteAction.NOTE_ACTION_EMULATED: "emulated",
}
COST_SOURCES = {
    CostSource.COST_SOURCE_REPORTED: "reported",
    CostSource.COST_SOURCE_COMPUTED: "computed",
    CostSource.COST_SOURCE_CONFIGURED: "configured",
    CostSource.COST_SOURCE_ESTIMATED: "estimated",
}


def trunkline_object(request_id: str, report: RoutingReport | None, cost: Cost | None = None) -> Json:
    """Members that say nothing are left out. Times are milliseconds."""
    found: Json = {"request_id": request_id}
    if report is not None:
        for name in ("target", "route", "strategy", "trace_id", "cached", "resumed", "joined"):
            if value := getattr(report, name):
                found[name] = value
        found["attempts"] = [_attempt(attempt) for attempt in report.attempts]
        found["duration_ms"] = report.duration_us / 1000
        if report.HasField("first_token_us"):
            found["first_token_ms"] = report.first_token_us / 1000
        found["overhead_ms"] = report.overhead_us / 1000
        if report.queued_us:
            found["queued_ms"] = report.queued_us / 1000
        if report.passed_over:
            found["passed_over"] = [
                {"target": each.target, "need": each.need, "field": each.field} for each in report.passed_over
            ]
        if report.warnings:
            found["warnings"] = list(report.warnings)
    if cost is not None and cost.HasField("nano_usd"):
        found["cost"] = _cost(cost)
    return found


def report_headers(report: RoutingReport, *, took_s: float | None = None) -> dict[str, str]:
    """What headers can say of a request that has ended.

    `took_s` is how long it took in all, this bridge's own work included; None: as the core knows it.
    """
    overhead_us: float = report.overhead_us
    if took_s is not None:
        overhead_us = max(0.0, took_s * 1_000_000 - (report.duration_us - report.overhead_us))
    found = {ATTEMPTS: str(len(report.attempts)), OVERHEAD: f"{overhead_us / 1000:.3f}"}
    if report.target:
        found[TARGET] = header_text(report.target)
    if notes := notes_header(report):
        found[NOTES] = notes
    return found


def notes_header(report: RoutingReport) -> str:
    """The first translation notes of the attempt that answered as one JSON array in ASCII; empty: there are none."""
    found: list[str] = []
    size = 2
    for attempt in report.attempts:
        if attempt.outcome != AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED:
            continue
        for note in _notes(attempt):
            text = json.dumps(note, separators=(",", ":"))
            size += len(text) + 1
            if size > MAX_NOTES_HEADER_BYTES:
                break
            found.append(text)
    return f"[{','.join(found)}]" if found else ""


def header_text(name: str) -> str:
    """A name as a header can carry it: as it is, or percent-encoded where it holds more than printable ASCII."""
    return name if name.isascii() and name.isprintable() else quote(name)


def reason_word(reason: int) -> str:
    """An ErrorReason as clients see it, such as "provider_throttled"; a newer one by its number."""
    if reason not in ErrorReason.values():
        return f"reason_{reason}"
    return ErrorReason.Name(ErrorReason.ValueType(reason)).removeprefix("ERROR_REASON_").lower()


def _attempt(attempt: Attempt) -> Json:
    found: Json = {
        "target": attempt.target,
        "outcome": OUTCOMES.get(attempt.outcome, "unknown"),
        "start_ms": attempt.start_us / 1000,
        "duration_ms": attempt.duration_us / 1000,
    }
    if attempt.HasField("first_token_us"):
        found["first_token_ms"] = attempt.first_token_us / 1000
    for name in ("http_status", "provider_request_id", "hedge"):
        if value := getattr(attempt, name):
            found[name] = value
    if attempt.cost.HasField("nano_usd"):
        found["cost"] = _cost(attempt.cost)
    if attempt.HasField("failure"):
        # The reason tells enough; a provider's own words may be meant for the operator alone.
        found["reason"] = reason_word(attempt.failure.reason)
    if attempt.notes:
        found["notes"] = _notes(attempt)
    return found


def _cost(cost: Cost) -> Json:
    found: Json = {"nano_usd": cost.nano_usd, "source": COST_SOURCES.get(cost.source, "unknown")}
    for name in ("input_nano_usd", "output_nano_usd"):
        if cost.HasField(name):
            found[name] = getattr(cost, name)
    if cost.price_version:
        found["price_version"] = cost.price_version
    return found


def _notes(attempt: Attempt) -> list[Json]:
    found = []
    for note in attempt.notes:
        row = {"field": note.field, "action": ACTIONS.get(note.action, "changed"), "reason": note.reason}
        if note.sent:
            row["sent"] = note.sent
        found.append(row)
    return found
