"""How long a provider asks to wait before the next request."""

import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final

from trunkline_server.providers.kind import LimitHeaders

_MAX_WAIT_MS: Final = 30 * 24 * 3600 * 1000
_STEP: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_STEP_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def retry_after_ms(headers: Mapping[str, str], limits: Sequence[LimitHeaders] = ()) -> int | None:
    """retry-after-ms, else Retry-After in seconds or as a date, else until the last of the limits that were hit resets.

    None if the headers, which are by lower-case name, tell nothing.
    """
    if (wait := _number(headers.get("retry-after-ms", ""))) is not None:
        return _bounded(wait)
    after = headers.get("retry-after", "")
    if (seconds := _number(after)) is not None:
        return _bounded(seconds * 1000)
    try:
        at = parsedate_to_datetime(after)
    except ValueError:
        return _until_reset(headers, limits)
    return _bounded((at.timestamp() - time.time()) * 1000)


def _until_reset(headers: Mapping[str, str], limits: Sequence[LimitHeaders]) -> int | None:
    hit = [limit for limit in limits if headers.get(limit.remaining) == "0"]
    waits = [wait for limit in hit if (wait := _duration_ms(headers.get(limit.reset, ""))) is not None]
    return _bounded(max(waits)) if waits else None


def _duration_ms(text: str) -> float | None:
    """A duration as Go writes it, such as "1m2.5s"."""
    steps = _STEP.findall(text)
    if not steps or "".join(number + unit for number, unit in steps) != text:
        return None
    return sum(float(number) * _STEP_MS[unit] for number, unit in steps)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _bounded(wait_ms: float) -> int | None:
    if not wait_ms <= _MAX_WAIT_MS:  # NaN and infinity, too
        return None
    return max(0, round(wait_ms))
