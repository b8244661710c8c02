"""Where OTLP goes and how, as OpenTelemetry's variables say for each signal.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from collections.abc import Mapping
from typing import Final

PROTOCOLS: Final = ("grpc", "http/protobuf")


class TelemetryError(ValueError):
    """An OTEL_* variable asks for what this gateway does not have; the message names it and what there is."""


def endpoint_of(signal: str, configured: str, environ: Mapping[str, str]) -> str:
    """Where "traces" or "metrics" go; empty: nowhere."""
    own, common = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
    return configured or environ.get(own, "") or environ.get(common, "")


def is_off(signal: str, environ: Mapping[str, str]) -> bool:
    """By the SDK's own switches."""
    return (
        environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        or environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() == "none"
    )


def protocol_of(signal: str, environ: Mapping[str, str]) -> str:
    """One of PROTOCOLS. Raises TelemetryError for any other."""
    own, common = f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"
    found = (environ.get(own, "") or environ.get(common, "")).strip().lower() or PROTOCOLS[0]
    if found not in PROTOCOLS:
        raise TelemetryError(f"{common} must be one of {', '.join(PROTOCOLS)}")
    return found


def url_for(signal: str, endpoint: str) -> str | None:
    """The address for HTTP of an endpoint in the configuration; None: the exporter reads the variables itself."""
    return f"{endpoint}/v1/{signal}" if endpoint else None
