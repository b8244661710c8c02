"""Rewrite Grafana's dashboard from the table of panels below.

Usage:
    python scripts/gen_dashboard.py           rewrite deploy/grafana/dashboards/trunkline.json
    python scripts/gen_dashboard.py --check   fail if it is stale
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

PAGE: Final = Path(__file__).resolve().parents[1] / "deploy" / "grafana" / "dashboards" / "trunkline.json"
DATASOURCE: Final = {"type": "prometheus", "uid": "trunkline-prometheus"}

RANGE: Final = "$__rate_interval"
WIDTH, HEIGHT, COLUMNS = 8, 8, 3


class Panel(NamedTuple):
    """One picture: its expressions by legend."""

    title: str
    unit: str
    """One of Grafana's units."""
    queries: Mapping[str, str]


def quantiles(metric: str, by: str) -> Mapping[str, str]:
    """Half, nineteen in twenty and 99 in a hundred."""
    buckets = f"sum by (le, {by}) (rate({metric}_bucket[{RANGE}]))"
    return {f"p{share} {{{{{by}}}}}": f"histogram_quantile(0.{share}, {buckets})" for share in ("50", "95", "99")}


def rate(metric: str, by: str, where: str = "") -> str:
    """How often a second, by an attribute."""
    return f"sum by ({by}) (rate({metric}{where}[{RANGE}]))"


PANELS: Final[Sequence[Panel]] = (
    Panel(
        "Requests by model",
        "reqps",
        {"{{trunkline_model}}": rate("trunkline_requests_total", "trunkline_model")},
    ),
    Panel(
        "Share of failed requests",
        "percentunit",
        {
            "failed": f'sum(rate(trunkline_requests_total{{trunkline_outcome="failed"}}[{RANGE}]))'
            f" / sum(rate(trunkline_requests_total[{RANGE}]))"
        },
    ),
    Panel(
        "Failed requests by reason",
        "reqps",
        {"{{error_type}}": rate("trunkline_requests_total", "error_type", '{trunkline_outcome="failed"}')},
    ),
    Panel("Request duration", "s", quantiles("trunkline_request_duration_seconds", "trunkline_model")),
    Panel("Time to first token", "s", quantiles("trunkline_request_time_to_first_token_seconds", "trunkline_model")),
    Panel("The gateway's own share", "s", quantiles("trunkline_request_overhead_seconds", "trunkline_stream")),
    Panel(
        "Tokens by model and type",
        "short",
        {
            "{{trunkline_model}} {{trunkline_token_type}}": rate(
                "trunkline_tokens_total", "trunkline_model, trunkline_token_type"
            )
        },
    ),
    Panel(
        "Tokens by project",
        "short",
        {
            "{{trunkline_project}}": rate(
                "trunkline_tokens_total", "trunkline_project", '{trunkline_token_type=~"input|output"}'
            )
        },
    ),
    Panel(
        "Cost an hour by target",
        "currencyUSD",
        {
            "{{trunkline_target}}": f"3600 * {rate('trunkline_cost_usd_total', 'trunkline_target')}",
            "attempts without a price, {{trunkline_target}}": rate(
                "trunkline_attempts_unpriced_total", "trunkline_target"
            ),
        },
    ),
    Panel(
        "Attempts by target and outcome",
        "reqps",
        {
            "{{trunkline_target}} {{trunkline_outcome}}": rate(
                "trunkline_attempts_total", "trunkline_target, trunkline_outcome"
            )
        },
    ),
    Panel(
        "Retries and fallbacks",
        "reqps",
        {
            "retry {{trunkline_target}}": rate("trunkline_retries_total", "trunkline_target"),
            "fallback from {{trunkline_target}}": rate("trunkline_fallbacks_total", "trunkline_target"),
            "resumed at {{trunkline_target}}": rate("trunkline_resumes_total", "trunkline_target"),
        },
    ),
    Panel(
        "Breakers",
        "short",
        {"{{trunkline_target}}": "max by (trunkline_target) (trunkline_target_breaker)"},
    ),
    Panel(
        "In flight and queued by target",
        "short",
        {
            "in flight {{trunkline_target}}": "sum by (trunkline_target) (trunkline_target_in_flight)",
            "queued {{trunkline_target}}": "sum by (trunkline_target) (trunkline_target_queued)",
        },
    ),
    Panel(
        "Event loop and garbage collection, p99",
        "s",
        {
            "lag": f"histogram_quantile(0.99, sum by (le) (rate(trunkline_event_loop_lag_seconds_bucket[{RANGE}])))",
            "collection": f"histogram_quantile(0.99, sum by (le) (rate(trunkline_gc_pause_seconds_bucket[{RANGE}])))",
        },
    ),
    Panel(
        "CPU and memory",
        "short",
        {
            "CPU cores {{instance}}": f"rate(process_cpu_time_seconds_total[{RANGE}])",
            "memory GB {{instance}}": "process_memory_usage_bytes / 1e9",
        },
    ),
)


def dashboard() -> dict[str, Any]:
    """The whole of it, in Grafana's JSON model."""
    return {
        "uid": "trunkline",
        "title": "Trunkline",
        "tags": ["trunkline"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": DATASOURCE,
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": row * HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend}
            for index, (legend, expression) in enumerate(panel.queries.items())
        ],
    }


def main(argument: str = "") -> None:
    fresh = json.dumps(dashboard(), indent=2) + "\n"
    if argument == "--check":
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != fresh:
            sys.exit(f"stale: {PAGE.name}, run python scripts/gen_dashboard.py")
    else:
        PAGE.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
