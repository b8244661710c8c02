"""What metrics show of the engine's state: what is in flight, and how the targets are doing."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from trunkline_server.engine.engine import Engine
from trunkline_server.routing.health import BreakerState, ProcessHealth, TargetHealth
from trunkline_server.telemetry import names
from trunkline_server.telemetry.instruments import Values
from trunkline_server.telemetry.metrics import Metrics
from trunkline_server.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from trunkline_server.telemetry.log_export import LogExport  # it loads the SDK

_BREAKER: Final = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}

Figures = Iterable[tuple[Values, float]]


def observe(
    metrics: Metrics, engine: Engine, health: ProcessHealth, tracing: Tracing, logs: "LogExport | None" = None
) -> None:
    """Adds the figures that are looked up when somebody asks for the metrics, and tells whose names they may carry.

    Call it in the loop of the engine.
    """

    def is_known(name: str) -> bool:
        return engine.catalog.knows(name)  # of the catalog as it is then: discovery replaces it

    metrics.requests.is_known = is_known
    admission = engine.admission
    clock = asyncio.get_running_loop().time
    metrics.observe(names.IN_FLIGHT_METRIC, "{request}", "Requests being answered.", lambda: [((), admission.requests)])
    metrics.observe(
        names.BYTES_IN_FLIGHT_METRIC, "By", "Bytes of requests being answered.", lambda: [((), admission.size_bytes)]
    )
    for name, unit, text, figure in (
        (
            names.DROPPED_SPANS_METRIC,
            "{span}",
            "Spans given up because the backend did not keep up.",
            lambda: tracing.dropped_spans,
        ),
        (names.FAILED_SPANS_METRIC, "{span}", "Spans that the backend did not take.", lambda: tracing.failed_spans),
        (
            names.DROPPED_LOGS_METRIC,
            "{record}",
            "Log records given up because the backend did not keep up.",
            lambda: logs.dropped if logs else 0,
        ),
        (
            names.FAILED_LOGS_METRIC,
            "{record}",
            "Log records that the backend did not take.",
            lambda: logs.failed if logs else 0,
        ),
        (
            names.FAILED_PUSHES_METRIC,
            "{push}",
            "Pushes of metrics that the backend did not take, or not whole.",
            lambda: metrics.failed_pushes,
        ),
    ):
        metrics.observe(name, unit, text, _sum(figure), is_sum=True)

    shows = metrics.requests.shows

    def of_targets(name: str, unit: str, text: str, figure: Callable[[TargetHealth, float], float]) -> None:
        def read() -> Figures:
            now = clock()
            return [((target.name,), figure(target, now)) for target in health.known() if shows(target.name)]

        metrics.observe(name, unit, text, read, attributes=(names.TARGET,))

    of_targets(
        names.TARGET_IN_FLIGHT_METRIC,
        "{attempt}",
        "Calls to the target under way, those that queue for it included.",
        lambda target, _: target.in_flight,
    )
    of_targets(
        names.TARGET_QUEUED_METRIC,
        "{request}",
        "Requests that queue for the target.",
        lambda target, _: engine.queued(target.name),
    )
    of_targets(
        names.TARGET_BREAKER_METRIC,
        "1",
        "The target's breaker: 0 closed, 0.5 half-open, 1 open.",
        lambda target, now: _BREAKER[target.breaker(now)],
    )
    of_targets(
        names.TARGET_KEYS_METRIC,
        "{key}",
        "The provider's keys that may be used with the target.",
        lambda target, now: target.usable_keys(now),
    )
    of_targets(
        names.TARGET_RETRIES_LEFT_METRIC,
        "{attempt}",
        "Retries that the target's budget allows.",
        lambda target, now: target.retries_left(now),
    )


def _sum(figure: Callable[[], float]) -> Callable[[], Figures]:
    return lambda: [((), figure())]
