"""How long to wait is read from whatever a provider has for it."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from trunkline_server.dialects.retry_after import retry_after_ms

DAY_S = 24 * 3600


def limited(reset: str, *, left: str = "0", name: str = "tokens") -> dict[str, str]:
    return {f"x-ratelimit-remaining-{name}": left, f"x-ratelimit-reset-{name}": reset}


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [
        ("20", 20_000),
        ("0.25", 250),
        ("0", 0),
        ("-3", 0),
        ("12ms", 12),
        ("1.5s", 1500),
        ("6m0s", 360_000),
        ("1h2m3.25s", 3_723_250),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("2015-10-21T07:28:00Z", 0),
        ("1445412480", 0),
        ("1445412480000", 0),
    ],
)
def test_each_spelling_of_a_wait_is_read_wherever_it_stands(text: str, wait_ms: int) -> None:
    info = {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": text}]}
    assert retry_after_ms({"retry-after": text}) == wait_ms
    assert retry_after_ms(limited(text), limits=True) == wait_ms
    assert retry_after_ms({}, info) == wait_ms


@pytest.mark.parametrize(
    "text", ["", "soon", "6m0", "-1s", "1s and more", "9999999h", "nan", "inf", "1e300", "Wed, 99 Oct 2015", "2015-99"]
)
def test_what_is_no_wait_tells_nothing(text: str) -> None:
    info = {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": text}]}
    assert retry_after_ms({"retry-after": text, "retry-after-ms": text, **limited(text)}, info, limits=True) is None


@pytest.mark.parametrize(
    "spelled",
    [
        lambda at: format_datetime(at, usegmt=True),
        lambda at: at.isoformat(),
        lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda at: str(int(at.timestamp())),
        lambda at: str(int(at.timestamp() * 1000)),
    ],
    ids=["HTTP date", "RFC 3339", "RFC 3339 in UTC", "seconds since 1970", "milliseconds since 1970"],
)
def test_a_time_is_waited_for(spelled: Any) -> None:  # noqa: ANN401 a lambda has no types of its own
    text = spelled(soon(60))
    for wait_ms in (retry_after_ms({"retry-after": text}), retry_after_ms(limited(text), limits=True)):
        assert wait_ms is not None
        assert 55_000 < wait_ms <= 60_000


@pytest.mark.parametrize(
    ("left", "reset"),
    [
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
        ("X-RateLimit-Remaining", "X-RateLimit-Reset"),
        ("x-rate-limit-remaining", "x-rate-limit-reset"),
        ("ratelimit-remaining", "ratelimit-reset"),
        ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ],
)
def test_limits_are_known_by_the_form_of_their_names(left: str, reset: str) -> None:
    assert retry_after_ms({left: "0", reset: "2"}, limits=True) == 2000
    assert retry_after_ms({left: "1", reset: "2"}, limits=True) is None
    assert retry_after_ms({reset: "2"}, limits=True) is None
    assert retry_after_ms({left: "0", reset: "2"}) is None


def test_only_limits_that_are_used_up_count_and_of_those_the_last_to_reset() -> None:
    headers = {**limited("1h", left="3", name="requests"), **limited("2s")}
    assert retry_after_ms(headers, limits=True) == 2000
    assert retry_after_ms({**headers, "x-ratelimit-remaining-requests": "0"}, limits=True) == 3_600_000
    assert retry_after_ms({**headers, "x-ratelimit-remaining-tokens": "1"}, limits=True) is None


def test_what_is_said_outright_wins() -> None:
    info = {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "9s"}]}
    headers = {"retry-after": "7", **limited("2s")}
    assert retry_after_ms(limited("2s"), info, limits=True) == 9000
    assert retry_after_ms(headers, info, limits=True) == 7000
    assert retry_after_ms({**headers, "retry-after-ms": "20"}, info, limits=True) == 20
    assert retry_after_ms({**headers, "retry-after-ms": "soon"}, info, limits=True) == 7000


def test_a_body_may_carry_the_headers_of_whoever_was_asked() -> None:
    reset_ms = str(round((time.time() + DAY_S) * 1000))
    error = {"metadata": {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset_ms}}}
    wait_ms = retry_after_ms({}, error, limits=True)
    assert wait_ms is not None
    assert abs(wait_ms - DAY_S * 1000) < 5000


@pytest.mark.parametrize(
    "error",
    [
        {},
        {"details": None},
        {"details": "text"},
        {"details": [None, "x", {}, {"@type": 5}, {"@type": "google.rpc.RetryInfo"}]},
        {"details": [{"@type": "google.rpc.RetryInfo", "retryDelay": 5}]},
        {"details": [{"@type": "google.rpc.QuotaFailure", "retryDelay": "5s"}]},
        {"metadata": "text"},
        {"metadata": {"headers": ["x-ratelimit-reset"]}},
        {"metadata": {"headers": {"x-ratelimit-reset": None, "x-ratelimit-remaining": None}}},
    ],
)
def test_a_body_of_another_form_tells_nothing(error: dict[str, Any]) -> None:
    assert retry_after_ms({}, error, limits=True) is None
