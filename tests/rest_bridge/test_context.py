"""The headers of a request as CallContext."""

import math
import time
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from trunkline.context import CallContext, is_request_id
from trunkline.errors import BadKeyError, InvalidRequestError
from trunkline.secret import Secret
from trunkline.v1 import Priority
from trunkline_bridge.context import assign_call_id, call_context, client_patience_s

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def context(
    *headers: tuple[str, str], arrived: float = 0.0, size_bytes: int = 0, patience_s: float = math.inf
) -> CallContext:
    request = make_mocked_request("POST", "/", headers=CIMultiDict(headers))
    assign_call_id(request)
    return call_context(request, arrived=arrived, size_bytes=size_bytes, patience_s=patience_s)


HEADERS: dict[str, tuple[list[tuple[str, str]], dict[str, Any]]] = {
    "key": ([("Authorization", "Bearer sk-1")], {"credential": Secret("sk-1")}),
    "no bearer": ([("Authorization", "Basic abc")], {}),
    "id": ([("X-Request-ID", "mine-1")], {"request_id": "mine-1"}),
    "trace": (
        [("traceparent", PARENT), ("TraceState", "a=1"), ("tracestate", "b=2"), ("baggage", "k=v")],
        {"traceparent": PARENT, "tracestate": "a=1,b=2", "baggage": "k=v"},
    ),
    "too much baggage is left behind": ([("traceparent", PARENT), ("baggage", "k" * 5000)], {"traceparent": PARENT}),
    "what is no text is left behind": ([("tracestate", "é=1")], {}),
    "safe retries": ([("Idempotency-Key", "k1")], {"idempotency_key": "k1"}),
    "strict": ([("X-Trunkline-Strict", "true")], {"strict": True}),
    "priority": ([("x-trunkline-priority", "high")], {"priority": Priority.PRIORITY_HIGH}),
    "an address that the client chose is not believed": ([("x-trunkline-client-address", "1.2.3.4")], {}),
}


@pytest.mark.parametrize(("headers", "expected"), HEADERS.values(), ids=HEADERS)
def test_a_header_becomes_its_field(headers: list[tuple[str, str]], expected: dict[str, Any]) -> None:
    found = context(*headers)
    given = {"request_id": found.request_id} | expected
    assert found == CallContext(**given)
    assert is_request_id(found.request_id)


def test_a_timeout_counts_from_arrival() -> None:
    arrived = time.monotonic()
    found = context(("x-request-timeout-ms", "1500"), arrived=arrived)
    assert found.deadline == arrived + 1.5


@pytest.mark.parametrize(
    ("timeout_ms", "patience_s", "timeout_s"),
    [(1500, 5.0, 1.5), (9000, 5.0, 5.0), (1500, math.inf, 1.5), (None, 5.0, 5.0)],
)
def test_the_earlier_of_a_clients_deadline_and_its_patience_counts(
    timeout_ms: int | None, patience_s: float, timeout_s: float
) -> None:
    headers = [("x-request-timeout-ms", str(timeout_ms))] if timeout_ms else []
    assert context(*headers, arrived=100.0, patience_s=patience_s).deadline == 100.0 + timeout_s


@pytest.mark.parametrize(
    ("headers", "patience_s"),
    [
        ({}, math.inf),
        ({"X-Stainless-Read-Timeout": "600"}, 600.0),
        ({"X-Stainless-Read-Timeout": "0.25"}, 0.25),
        ({"X-Stainless-Read-Timeout": "inf"}, math.inf),
        ({"X-Stainless-Timeout": "60"}, 60.0),
        ({"X-Stainless-Timeout": "0"}, math.inf),
        ({"X-Stainless-Timeout": "60", "X-Stainless-Read-Timeout": "5.0"}, 5.0),
    ],
)
def test_the_sdks_tell_how_long_they_wait(headers: dict[str, str], patience_s: float) -> None:
    assert client_patience_s(make_mocked_request("POST", "/", headers=headers)) == patience_s


@pytest.mark.parametrize("name", ["x-stainless-read-timeout", "x-stainless-timeout"])
@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "-inf", "5s", "5,6"])
def test_a_patience_without_meaning_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client_patience_s(make_mocked_request("POST", "/", headers={name: value}))
    assert [violation.field for violation in caught.value.violations] == [name]


def test_what_was_read_is_told() -> None:
    assert context(size_bytes=7).size_bytes == 7


@pytest.mark.parametrize("given", ["", "has space", "x" * 129, "é", "a\tb"])
def test_an_id_that_may_not_stand_in_logs_is_replaced(given: str) -> None:
    found = context(("x-request-id", given)).request_id
    assert found != given
    assert found.startswith("req_")


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("x-request-timeout-ms", "soon", "x-request-timeout-ms"),
        ("x-request-timeout-ms", "0", "x-request-timeout-ms"),
        ("x-request-timeout-ms", "-5", "x-request-timeout-ms"),
        ("x-request-timeout-ms", "1.5", "x-request-timeout-ms"),
        ("x-request-timeout-ms", "9" * 50, "x-request-timeout-ms"),
        ("x-request-timeout-ms", "²", "x-request-timeout-ms"),
        ("x-trunkline-strict", "maybe", "x-trunkline-strict"),
        ("x-trunkline-priority", "urgent", "x-trunkline-priority"),
        ("idempotency-key", "k" * 256, "Idempotency-Key"),
        ("idempotency-key", "é", "Idempotency-Key"),
    ],
)
def test_a_header_without_meaning_is_refused_by_name(name: str, value: str, field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        context((name, value))
    assert [violation.field for violation in caught.value.violations] == [field]


def test_a_key_that_cannot_be_one_is_refused_and_not_shown() -> None:
    with pytest.raises(BadKeyError) as caught:
        context(("authorization", "Bearer schlüssel"))
    assert "schl" not in str(caught.value)
