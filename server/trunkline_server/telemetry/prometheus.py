"""The metrics as Prometheus scrapes them, named by OpenTelemetry's rules.

https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ and
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format. Prometheus' own library takes some
thirty times as long over a page, most of it with the interpreter's lock held.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from trunkline_server.telemetry.instruments import (
    Bins,
    Counter,
    Description,
    Histogram,
    Instruments,
    Observations,
    Observed,
    Values,
)

_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes"}
_NOT_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_:]")
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class PrometheusPage:
    """Writes the present figures as a page in Prometheus' text format, version 1.0.0."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def text(self, observed: Observations) -> bytes:
        """The page. Any thread may ask for it, beside the loop that counts and that has `observed`."""
        lines: list[str] = []
        for instrument in self._instruments:
            description = instrument.description
            labels = [_NOT_A_NAME.sub("_", attribute) for attribute in description.attributes]
            name = metric_name(description)
            match instrument:
                case Counter(series=series, scale=scale):
                    lines += _head(f"{name}_total", description, "counter")
                    totals = ((values, total / scale) for values, total in list(series.items()))
                    lines += _samples(f"{name}_total", labels, totals)
                case Histogram(series=bins):
                    lines += _head(name, description, "histogram")
                    for values, counted in list(bins.items()):
                        lines += _histogram(name, _pairs(labels, values), counted)
                case Observed(is_sum=is_sum):
                    full_name, kind = (f"{name}_total", "counter") if is_sum else (name, "gauge")
                    lines += _head(full_name, description, kind)
                    lines += _samples(full_name, labels, observed[description.name])
        # A name may hold what no encoding can carry, such as half of a surrogate pair.
        return "".join(lines).encode(errors="replace")


def metric_name(description: Description) -> str:
    """The metric's name without the suffix of its type: with its unit, in the characters that Prometheus takes."""
    name = _NOT_A_NAME.sub("_", description.name)
    unit = _UNITS.get(description.unit, "")
    return f"{name}_{unit}" if unit and not name.endswith(unit) else name


def _head(name: str, description: Description, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {description.text}\n", f"# TYPE {name} {kind}\n"


def _samples(name: str, labels: Sequence[str], figures: Iterable[tuple[Values, float]]) -> Iterator[str]:
    for values, figure in figures:
        pairs = _pairs(labels, values)
        yield f"{name}{{{pairs}}} {figure}\n" if pairs else f"{name} {figure}\n"


def _histogram(name: str, pairs: str, bins: Bins) -> Iterator[str]:
    before = f"{name}_bucket{{{pairs}," if pairs else f"{name}_bucket{{"
    below = 0
    # One more bin than bounds: the last one is what is above all.
    for bound, count in zip((*bins.bounds, "+Inf"), bins.counts, strict=True):
        below += count
        yield f'{before}le="{bound}"}} {below}\n'
    own = f"{{{pairs}}}" if pairs else ""
    yield f"{name}_count{own} {below}\n"
    yield f"{name}_sum{own} {bins.total}\n"


def _pairs(labels: Sequence[str], values: Values) -> str:
    return ",".join([f'{label}="{value.translate(_ESCAPES)}"' for label, value in zip(labels, values, strict=True)])
