"""All metrics of a process: counted here, shown to Prometheus, pushed by OTLP where the OTEL_* variables say so."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from trunkline_server.config.settings import TelemetrySettings
from trunkline_server.telemetry.instruments import Description, Instruments, Observed, Values
from trunkline_server.telemetry.otlp import endpoint_of, is_off, protocol_of, url_for
from trunkline_server.telemetry.peers import Peer
from trunkline_server.telemetry.process_metrics import ProcessMetrics
from trunkline_server.telemetry.prometheus import PrometheusPage
from trunkline_server.telemetry.request_metrics import NEWEST, TODAY, GenAiNames, RequestMetrics
from trunkline_server.values.record import RequestRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter

    from trunkline_server.telemetry.metric_export import MetricExport

logger = logging.getLogger(__name__)

SIGNAL: Final = "metrics"
STABILITY: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
DEFAULT_INTERVAL_MS: Final = 60_000
SHUTDOWN_TIMEOUT_S: Final = 5.0

_EDITIONS: Final[Mapping[str, tuple[GenAiNames, ...]]] = {
    "gen_ai_latest_experimental": (NEWEST,),
    "gen_ai_latest_experimental/dup": (TODAY, NEWEST),
}

Read = Callable[[], Iterable[tuple[Values, float]]]


class Metrics:
    """Counts settled requests and observes the process."""

    def __init__(self, peers: Mapping[str, Peer], *, gen_ai: tuple[GenAiNames, ...] = (TODAY,)) -> None:
        self.instruments = Instruments()
        """Where others add what is to be observed of them."""
        self.requests = RequestMetrics(self.instruments, peers, gen_ai=gen_ai)
        self._process = ProcessMetrics(self.instruments)
        self._page = PrometheusPage(self.instruments)
        self._export: MetricExport | None = None

    def start(self, export: "MetricExport | None" = None) -> None:
        """Begins to observe, and to push if there is where to. Call it in the loop that answers requests."""
        self._process.start()
        self._export = export
        if export is not None:
            export.start(asyncio.get_running_loop())

    @property
    def failed_pushes(self) -> int:
        """Pushes that the backend did not take so far."""
        return self._export.failed if self._export else 0

    def observe(
        self, name: str, unit: str, text: str, read: Read, *, attributes: tuple[str, ...] = (), is_sum: bool = False
    ) -> None:
        """Adds a figure that is looked up when somebody asks."""
        description = Description(name=name, unit=unit, text=text, attributes=attributes)
        self.instruments.add(Observed(description, read, is_sum=is_sum))

    def settled(self, record: RequestRecord) -> None:
        """Counts a request. Neither blocks nor raises."""
        try:
            self.requests.settled(record)
        except Exception:  # a defect here must not undo the settlement of a request that went well
            logger.exception("request %s could not be counted", record.request_id)

    async def page(self) -> bytes:
        """All figures in Prometheus' text format."""
        # Of many targets it is long, and the loop has other things to do.
        return await asyncio.to_thread(self._page.text, self.instruments.observe())

    async def shutdown(self, timeout_s: float = SHUTDOWN_TIMEOUT_S) -> None:
        """Pushes a last time, for at most about `timeout_s`."""
        self._process.stop()
        if self._export is not None:
            await asyncio.to_thread(self._export.stop, timeout_s)


def start_metrics(settings: TelemetrySettings, peers: Mapping[str, Peer]) -> Metrics:
    """Metrics as the settings and the OTEL_* variables ask for; pushed only where there is an endpoint.

    Raises TelemetryError for a protocol that this gateway does not have.
    """
    environ = os.environ
    editions = (part.strip().lower() for part in environ.get(STABILITY, "").split(","))
    gen_ai = next((_EDITIONS[edition] for edition in editions if edition in _EDITIONS), (TODAY,))
    metrics = Metrics(peers, gen_ai=gen_ai)
    metrics.start(_export(settings, environ, metrics.instruments))
    return metrics


def _export(settings: TelemetrySettings, environ: Mapping[str, str], instruments: Instruments) -> "MetricExport | None":
    endpoint = endpoint_of(SIGNAL, settings.otlp_endpoint, environ)
    if not endpoint or is_off(SIGNAL, environ):
        return None
    from trunkline_server.telemetry.batch_export import resource_of  # noqa: PLC0415 loads the SDK
    from trunkline_server.telemetry.metric_export import MetricExport  # noqa: PLC0415 loads the SDK

    return MetricExport(
        _exporter(settings.otlp_endpoint, environ),
        instruments,
        resource=resource_of(settings.service_name),
        interval_s=_interval_ms(environ) / 1000,
    )


def _exporter(endpoint: str, environ: Mapping[str, str]) -> "MetricExporter":
    protocol = protocol_of(SIGNAL, environ)
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # noqa: PLC0415 loads the SDK
            OTLPMetricExporter as GrpcExporter,
        )

        return GrpcExporter(endpoint=endpoint or None)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 loads the SDK
        OTLPMetricExporter as HttpExporter,
    )

    return HttpExporter(endpoint=url_for(SIGNAL, endpoint))


def _interval_ms(environ: Mapping[str, str]) -> int:
    text = environ.get(INTERVAL, "").strip()
    if text and not (text.isdecimal() and int(text) > 0):
        logger.warning("%s is not a positive whole number; %d is used", INTERVAL, DEFAULT_INTERVAL_MS)
        text = ""
    return int(text) if text else DEFAULT_INTERVAL_MS
