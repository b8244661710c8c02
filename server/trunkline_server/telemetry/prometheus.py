"""The metrics as Prometheus scrapes them, named by OpenTelemetry's rules.

https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

import re
from collections.abc import Iterator
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_1_0_0, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from trunkline_server.telemetry.instruments import Bins, Counter, Description, Histogram, Instruments, Observed, Values

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_1_0_0

_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes"}
_NOT_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_:]")
_INFINITY: Final = "+Inf"


class PrometheusPage:
    """Writes the present figures as a page in Prometheus' text format."""

    def __init__(self, instruments: Instruments) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Families(instruments))

    def text(self) -> bytes:
        """The page; its type is CONTENT_TYPE."""
        return generate_latest(self._registry)


class _Families(Collector):
    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def describe(self) -> list[Metric]:
        # Otherwise the registry would collect everything once to learn the names.
        return []

    def collect(self) -> Iterator[Metric]:
        for instrument in self._instruments:
            description = instrument.description
            name, text = metric_name(description), description.text
            labels = [_NOT_A_NAME.sub("_", attribute) for attribute in description.attributes]
            match instrument:
                case Counter(series=series, scale=scale):
                    counter = CounterMetricFamily(name, text, labels=labels)
                    for values, total in list(series.items()):
                        counter.add_metric(values, total / scale)
                    yield counter
                case Histogram(series=bins):
                    yield _histogram(name, text, labels, bins)
                case Observed(read=read, is_sum=is_sum):
                    family = (CounterMetricFamily if is_sum else GaugeMetricFamily)(name, text, labels=labels)
                    for values, value in read():
                        family.add_metric(values, value)
                    yield family


def _histogram(name: str, text: str, labels: list[str], series: dict[Values, Bins]) -> HistogramMetricFamily:
    found = HistogramMetricFamily(name, text, labels=labels)
    for values, bins in list(series.items()):
        buckets, below = [], 0
        for bound, count in zip((*map(str, bins.bounds), _INFINITY), bins.counts, strict=True):
            below += count
            buckets.append((bound, below))
        found.add_metric(values, buckets, bins.total)
    return found


def metric_name(description: Description) -> str:
    """The metric's name without the suffix of its type: with its unit, in the characters that Prometheus takes."""
    name = _NOT_A_NAME.sub("_", description.name)
    unit = _UNITS.get(description.unit, "")
    return f"{name}_{unit}" if unit and not name.endswith(unit) else name
