"""How long a provider asks to wait before the next request, in all the spellings that there are.

Outright: `retry-after-ms`, `retry-after` (seconds or a date), and google.rpc.RetryInfo in the body of an error. Else by
its rate limits: of those that are used up, the last to reset. They come in pairs of headers whose names differ in one
word, such as x-ratelimit-remaining-tokens and x-ratelimit-reset-tokens, or anthropic-ratelimit-requests-remaining and
anthropic-ratelimit-requests-reset.
"""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from trunkline_server.dialects.json_values import Json

_MAX_WAIT_MS: Final = 30 * 24 * 3600 * 1000
_STEP: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_STEP_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_LIMIT: Final = re.compile(r"\brate-?limit")
_LEFT, _RESET = "remaining", "reset"

# A number of at least so much is no wait but a time: seconds or milliseconds since 1970.
_EPOCH_S: Final = 1e9
_EPOCH_MS: Final = 1e11

_RETRY_INFO: Final = "google.rpc.RetryInfo"
# https://openrouter.ai/docs/api/reference/limits: the headers of whoever was throttled stand in `metadata`.
_CARRIED_HEADERS: Final = ("metadata", "headers")


def retry_after_ms(headers: Mapping[str, str], error: Json | None = None, *, limits: bool = False) -> int | None:
    """The wait that an error answer asks for; None if it asks for none.

    `error` is the object of its body that says what went wrong. With `limits` rate limits that are used up count where
    nothing is said outright: only for answers that say that a limit is why.
    """
    found = _outright_ms(headers)
    if found is None and error:
        found = _retry_info_ms(error)
    if found is None and limits:
        found = _until_reset_ms(headers)
        if found is None and error:
            found = _until_reset_ms(_carried(error))
    return found


def _outright_ms(headers: Mapping[str, str]) -> int | None:
    if (wait := _number(headers.get("retry-after-ms", ""))) is not None and (bounded := _bounded(wait)) is not None:
        return bounded
    return _wait_ms(headers.get("retry-after", ""))


def _retry_info_ms(error: Json) -> int | None:
    """https://cloud.google.com/apis/design/errors#error_details; Gemini says it in no header."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith(_RETRY_INFO):
            delay = detail.get("retryDelay")
            if isinstance(delay, str) and (wait := _wait_ms(delay)) is not None:
                return wait
    return None


def _until_reset_ms(headers: Mapping[str, str]) -> int | None:
    """Until the last of the limits that are used up resets."""
    values = {name.lower(): value for name, value in headers.items()}
    waits = [
        wait
        for name, value in values.items()
        if _RESET in name
        and _LIMIT.search(name)
        and (left := _number(values.get(name.replace(_RESET, _LEFT), ""))) is not None
        and left <= 0
        and (wait := _wait_ms(value)) is not None
    ]
    return max(waits, default=None)


def _carried(error: Json) -> Mapping[str, str]:
    """Headers that an error's body carries."""
    found: object = error
    for name in _CARRIED_HEADERS:
        found = found.get(name) if isinstance(found, dict) else None
    return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _wait_ms(text: str) -> int | None:
    """The wait that a text means: seconds, a duration such as "1m2.5s", or the time when it is over."""
    if (seconds := _number(text)) is not None:
        if seconds < _EPOCH_S:
            return _bounded(seconds * 1000)
        return _bounded_until(seconds if seconds < _EPOCH_MS else seconds / 1000)
    if (wait := _duration_ms(text)) is not None:
        return _bounded(wait)
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            at = parse(text)
        except ValueError:
            continue
        return _bounded_until((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    return None


def _duration_ms(text: str) -> float | None:
    """A duration as Go and protobuf write it."""
    steps = _STEP.findall(text)
    if not steps or "".join(number + unit for number, unit in steps) != text:
        return None
    return sum(float(number) * _STEP_MS[unit] for number, unit in steps)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _bounded_until(epoch_s: float) -> int | None:
    return _bounded((epoch_s - time.time()) * 1000)


def _bounded(wait_ms: float) -> int | None:
    if not wait_ms <= _MAX_WAIT_MS:  # NaN and infinity, too
        return None
    return max(0, round(wait_ms))
