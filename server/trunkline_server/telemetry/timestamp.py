"""Times of day as logs and access lines spell them."""

from datetime import UTC, datetime
from functools import lru_cache


def utc_time(seconds: float) -> str:
    """Unix seconds as RFC 3339 with milliseconds, such as "2026-11-20T09:15:02.250Z"."""
    second, millis = divmod(int(seconds * 1000), 1000)
    return f"{_whole_second(second)}.{millis:03d}Z"


@lru_cache(maxsize=4)  # a busy gateway asks for the same second thousands of times
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6]
