"""Traces, in OpenTelemetry's terms."""
