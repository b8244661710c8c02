"""The access log for people: one short line a request, for a terminal."""

from trunkline.v1 import Usage
from trunkline_server.telemetry import outcomes
from trunkline_server.telemetry.timestamp import utc_time
from trunkline_server.values.record import RequestRecord

US = 1_000_000


def terminal_line(record: RequestRecord) -> str:
    """When, how it ended, who asked for what and got it from whom, how long it took, what it used, and its id.

    Such as `09:15:02.250 answered  fast -> openai/gpt-5.4  1.32 s (first token 0.32 s)  812 in, 94 out  key app  req_…`.
    """
    report, failure = record.report, record.failure
    words = outcomes.outcome(failure)
    if failure is not None and words == outcomes.FAILED:
        words = f"{words} ({outcomes.reason_name(failure)})"
    facts = [
        f"{utc_time(record.started_ns / 1e9)[11:-1]} {words:<9}",
        _way(record),
        _time(record),
        *([_used(record.usage)] if record.usage is not None else []),
        *(
            [f"${record.cost.nano_usd / 1e9:.6f}"]
            if record.cost is not None and record.cost.HasField("nano_usd")
            else []
        ),
        f"key {record.principal.key}",
        record.request_id,
    ]
    if (count := len(report.attempts)) > 1:
        facts.insert(-2, f"{count} attempts")
    return "  ".join(facts)


def _way(record: RequestRecord) -> str:
    # A name that led nowhere is whatever the caller wrote; a terminal obeys what it is sent.
    model = "".join(char if char.isprintable() else "?" for char in outcomes.bounded(record.model)) or "no model"
    target = outcomes.bounded(record.report.target)
    return f"{model} -> {target}" if target and target != model else model


def _time(record: RequestRecord) -> str:
    report = record.report
    text = f"{report.duration_us / US:.2f} s"
    if record.stream and report.HasField("first_token_us"):
        text += f" (first token {report.first_token_us / US:.2f} s)"
    return text


def _used(usage: Usage) -> str:
    sign = "~" if usage.estimated else ""
    return f"{sign}{usage.input_tokens} in, {sign}{usage.output_tokens} out"
