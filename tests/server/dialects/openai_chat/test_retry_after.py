"""How long to wait is read from whatever headers a provider has for it."""

import pytest

from trunkline_server.dialects.openai_chat.retry_after import retry_after_ms
from trunkline_server.providers.kind import LimitHeaders

LIMITS = (LimitHeaders("left-requests", "reset-requests"), LimitHeaders("left-tokens", "reset-tokens"))


@pytest.mark.parametrize(
    ("reset", "wait_ms"),
    [("12ms", 12), ("1.5s", 1500), ("6m0s", 360_000), ("1h2m3.25s", 3_723_250), ("0s", 0)],
)
def test_a_limit_that_was_hit_tells_when_it_resets(reset: str, wait_ms: int) -> None:
    assert retry_after_ms({"left-tokens": "0", "reset-tokens": reset}, LIMITS) == wait_ms


@pytest.mark.parametrize("reset", ["", "soon", "5", "6m0", "-1s", "1s and more", "9999999h"])
def test_what_is_no_duration_tells_nothing(reset: str) -> None:
    assert retry_after_ms({"left-tokens": "0", "reset-tokens": reset}, LIMITS) is None


def test_only_limits_that_were_hit_count_and_of_those_the_last_to_reset() -> None:
    headers = {"left-requests": "3", "reset-requests": "1h", "left-tokens": "0", "reset-tokens": "2s"}
    assert retry_after_ms(headers, LIMITS) == 2000
    assert retry_after_ms({**headers, "left-requests": "0"}, LIMITS) == 3_600_000
    assert retry_after_ms({**headers, "left-tokens": "1"}, LIMITS) is None


def test_what_is_said_outright_wins() -> None:
    headers = {"retry-after": "7", "left-tokens": "0", "reset-tokens": "2s"}
    assert retry_after_ms(headers, LIMITS) == 7000
    assert retry_after_ms({**headers, "retry-after-ms": "20"}, LIMITS) == 20


def test_headers_of_other_vendors_tell_nothing() -> None:
    assert retry_after_ms({"left-tokens": "0", "reset-tokens": "2s"}) is None
