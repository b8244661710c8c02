"""Times of day as logs and access lines spell them."""

from datetime import UTC, datetime


def utc_time(seconds: float) -> str:
    """Unix seconds as RFC 3339 with milliseconds, such as "2026-11-20T09:15:02.250Z"."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat(timespec='milliseconds')[:-6]}Z"
