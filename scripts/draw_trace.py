"""Draw a trace as Jaeger's query API gives it, as an SVG waterfall.

curl -s http://127.0.0.1:16686/api/traces/<trace id> | python scripts/draw_trace.py > docs/trace.svg
"""

import json
import sys
from typing import Any, Final
from xml.sax.saxutils import escape

WIDTH: Final = 980
LABELS: Final = 400
ROW: Final = 44
TOP: Final = 40
COLOURS: Final = {"server": "#4c78a8", "internal": "#72b7b2", "client": "#f58518"}
FAILED: Final = "#e45756"
STYLE: Final = "text{font:12px system-ui,sans-serif;fill:#333}.s{font-size:10.5px;fill:#777}"

# What a row says below its name, where the span has it.
FACTS: Final = (
    ("error.type", ""),
    ("http.response.status_code", "status "),
    ("rpc.response.status_code", ""),
    ("trunkline.attempts", "attempts "),
    ("trunkline.overhead_us", "own µs "),
    ("gen_ai.usage.input_tokens", "in "),
    ("gen_ai.usage.output_tokens", "out "),
)

Json = dict[str, Any]


def main() -> None:
    """Reads JSON, writes SVG."""
    trace = json.load(sys.stdin)["data"][0]
    services = {name: process["serviceName"] for name, process in trace["processes"].items()}
    print(drawn(in_order(trace["spans"]), services))


def in_order(spans: list[Json]) -> list[tuple[int, Json]]:
    """Spans with their depth, children below their parents by when they began."""
    ids = {span["spanID"] for span in spans}
    found: list[tuple[int, Json]] = []

    def add(parent: str | None, depth: int) -> None:
        for span in sorted(spans, key=lambda span: span["startTime"]):
            if parent_of(span, ids) == parent:
                found.append((depth, span))
                add(span["spanID"], depth + 1)

    add(None, 0)
    return found


def parent_of(span: Json, ids: set[str]) -> str | None:
    return next((ref["spanID"] for ref in span["references"] if ref["spanID"] in ids), None)


def drawn(rows: list[tuple[int, Json]], services: dict[str, str]) -> str:
    """The picture."""
    begin = min(span["startTime"] for _, span in rows)
    length = max(span["startTime"] + span["duration"] for _, span in rows) - begin
    height = TOP + ROW * len(rows) + 10
    scale = (WIDTH - LABELS - 20) / length
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = LABELS + share * length * scale
        parts.append(f'<line x1="{at:.0f}" x2="{at:.0f}" y1="{TOP - 10}" y2="{height - 10}" stroke="#e5e5e5"/>')
        anchor = "end" if share == 1 else "start"
        parts.append(
            f'<text class="s" x="{at:.0f}" y="18" text-anchor="{anchor}">{share * length / 1000:.1f} ms</text>'
        )
    for number, (depth, span) in enumerate(rows):
        parts += row(TOP + number * ROW, depth, span, services[span["processID"]], begin, scale)
    return "\n".join((*parts, "</svg>"))


def row(top: int, depth: int, span: Json, service: str, begin: int, scale: float) -> list[str]:
    tags = {tag["key"]: tag["value"] for tag in span["tags"]}
    kind = tags.get("span.kind", "internal")
    colour = FAILED if tags.get("otel.status_code") == "ERROR" else COLOURS.get(kind, "#999")
    left, width = LABELS + (span["startTime"] - begin) * scale, max(2.0, span["duration"] * scale)
    facts = [f"{word}{tags[name]}" for name, word in FACTS if name in tags]
    events = [field["value"] for log in span["logs"] for field in log["fields"] if field["key"] == "event"]
    parts = [
        f'<text x="{10 + depth * 16}" y="{top + 14}">{escape(span["operationName"])}</text>',
        f'<text class="s" x="{10 + depth * 16}" y="{top + 28}">{escape(", ".join((service, kind, *facts)))}</text>',
        f'<rect x="{left:.1f}" y="{top + 4}" width="{width:.1f}" height="13" rx="2" fill="{colour}"/>',
    ]
    for log, name in zip(span["logs"], events, strict=True):
        at = LABELS + (log["timestamp"] - begin) * scale
        parts.append(f'<path d="M{at:.1f} {top + 1}l4 -5h-8z" fill="#333"/>')
        anchor = "end" if at > WIDTH - 150 else "start"
        parts.append(f'<text class="s" x="{at:.0f}" y="{top + 30}" text-anchor="{anchor}">{escape(name)}</text>')
    return parts


if __name__ == "__main__":
    main()
