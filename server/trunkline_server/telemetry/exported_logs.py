"""Whether log records go out by OTLP. OpenTelemetry is loaded only by a process that exports them."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from trunkline_server.config.settings import TelemetrySettings
from trunkline_server.telemetry.otlp import endpoint_of, is_off
from trunkline_server.telemetry.peers import Peer

if TYPE_CHECKING:
    from trunkline_server.telemetry.log_export import LogExport

SIGNAL: Final = "logs"
EXPORTER: Final = "OTEL_LOGS_EXPORTER"


def exports_lines(settings: TelemetrySettings, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the log and the access lines are to go out; other than traces they do so only if somebody asks."""
    return settings.logs or environ.get(EXPORTER, "").strip().lower() == "otlp"


def start_log_export(settings: TelemetrySettings, peers: Mapping[str, Peer], *, events: bool) -> "LogExport | None":
    """An export, if lines or `events` are to go out and there is where to; None: there is none.

    Raises TelemetryError.
    """
    environ = os.environ
    wanted = exports_lines(settings, environ) or events
    if not wanted or is_off(SIGNAL, environ) or not endpoint_of(SIGNAL, settings.otlp_endpoint, environ):
        return None
    from trunkline_server.telemetry.log_export import open_log_export  # noqa: PLC0415 loads the SDK

    return open_log_export(settings, peers)
