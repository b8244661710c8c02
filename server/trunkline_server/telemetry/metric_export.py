"""The metrics as OTLP: what is counted here in the SDK's data classes, pushed by the SDK's exporters.

Importing this module loads OpenTelemetry's SDK, so only a process that exports does.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from trunkline import __version__
from trunkline_server.telemetry import names
from trunkline_server.telemetry.instruments import (
    Bins,
    Counter,
    Histogram,
    Instrument,
    Instruments,
    Observations,
    Observed,
    Values,
    named,
)

logger = logging.getLogger(__name__)

SCOPE = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)

MAX_POINTS: Final = 200
"""Most series that are encoded at once, which takes some 2 ms."""
LOOKING_TIMEOUT_S: Final = 5.0
"""How long a push waits for the loop to look up what is looked up."""
# Sums since the start: what a backend missed while it was away is in the next figure, so nothing is kept for it.
_TEMPORALITY = AggregationTemporality.CUMULATIVE


class MetricExport:
    """Pushes all figures every `interval_s`, from a thread of its own.

    A backend that is slow or away delays the next push and costs nothing else: there is no queue.
    """

    def __init__(
        self, exporter: MetricExporter, instruments: Instruments, *, resource: Resource, interval_s: float
    ) -> None:
        self._exporter = exporter
        self._instruments = instruments
        self._resource = resource
        self._interval_s = interval_s
        self._started_ns = time.time_ns()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trunkline-metrics", daemon=True)
        self._given_up = False
        self.failed = 0
        """Pushes that the backend did not take."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to push; call it in the process that answers requests. What there is to look up belongs to `loop`."""
        self._loop = loop
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Pushes a last time and ends, within about `timeout_s`. Blocks: call it in a thread."""
        self._stopped.set()
        self._thread.join(timeout_s)
        self._given_up = True
        self._exporter.shutdown(timeout_millis=0)  # breaks off what still goes on

    def parts(self, observed: Observations) -> Iterator[MetricsData]:
        """All figures as they are now, in parts: encoding one holds the interpreter's lock, and with it the loop."""
        now_ns = time.time_ns()
        part: list[Metric] = []
        room = MAX_POINTS
        for instrument in self._instruments:
            points = self._points(instrument, observed, now_ns)
            while found := list(islice(points, room)):
                part.append(_metric(instrument, found))
                room -= len(found)
                if not room:
                    yield self._data(part)
                    part, room = [], MAX_POINTS
        if part:
            yield self._data(part)

    def _run(self) -> None:
        stopping = False
        while not stopping and not self._given_up:
            stopping = self._stopped.wait(self._interval_s)
            try:
                looking = asyncio.run_coroutine_threadsafe(self._observe(), self._loop)
                parts = self.parts(looking.result(LOOKING_TIMEOUT_S))
                # A backend that does not take one is not asked to take the next ones.
                taken = all(self._exporter.export(part) is MetricExportResult.SUCCESS for part in parts)
            except Exception:  # one push that goes wrong must not end all later ones
                logger.exception("the metrics could not be pushed")
                taken = False
            self.failed += not taken

    async def _observe(self) -> Observations:
        return self._instruments.observe()

    def _data(self, metrics: list[Metric]) -> MetricsData:
        scope = ScopeMetrics(SCOPE, metrics, schema_url=names.SCHEMA_URL)
        return MetricsData([ResourceMetrics(self._resource, [scope], schema_url=self._resource.schema_url)])

    def _points(
        self, instrument: Instrument, observed: Observations, now_ns: int
    ) -> Iterator[NumberDataPoint] | Iterator[HistogramDataPoint]:
        """One after the other, so that they need not all be there at once."""
        match instrument:
            case Counter(scale=scale):
                sums = ((values, total / scale) for values, total in list(instrument.series.items()))
                return self._numbers(instrument, sums, now_ns)
            case Histogram():
                series = list(instrument.series.items())
                return (self._histogram_point(instrument, values, bins, now_ns) for values, bins in series)
            case Observed():
                return self._numbers(instrument, observed[instrument.description.name], now_ns)

    def _numbers(
        self, instrument: Instrument, figures: Iterable[tuple[Values, float]], now_ns: int
    ) -> Iterator[NumberDataPoint]:
        for values, value in figures:
            yield NumberDataPoint(named(instrument.description, values), self._started_ns, now_ns, value)

    def _histogram_point(
        self, instrument: Histogram, values: tuple[str, ...], bins: Bins, now_ns: int
    ) -> HistogramDataPoint:
        counts = tuple(bins.counts)
        return HistogramDataPoint(
            named(instrument.description, values),
            self._started_ns,
            now_ns,
            count=sum(counts),
            sum=bins.total,
            bucket_counts=counts,
            explicit_bounds=instrument.bounds,
            # Not kept: over the whole life of the process they say nothing.
            min=None,  # type: ignore[arg-type]  # optional in OTLP; the exporters leave it out
            max=None,  # type: ignore[arg-type]  # as above
        )


def _metric(instrument: Instrument, points: Sequence[Any]) -> Metric:
    description = instrument.description
    data: Sum | Gauge | HistogramData
    match instrument:
        case Histogram():
            data = HistogramData(points, _TEMPORALITY)
        case Observed(is_sum=False):
            data = Gauge(points)
        case _:
            data = Sum(points, _TEMPORALITY, is_monotonic=True)
    return Metric(description.name, description.text, description.unit, data)
