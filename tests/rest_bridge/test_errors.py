"""How each failure is told."""

import asyncio

import aiohttp
import pytest

from fake_gateway import FakeGateway, report
from trunkline.errors import (
    BY_REASON,
    BadKeyError,
    BudgetSpentError,
    CancelledByCallerError,
    ContextLengthError,
    DeadlineError,
    GatewayError,
    GatewayUnreachableError,
    IdempotencyConflictError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
    ShuttingDownError,
    UnsupportedByModelError,
)
from trunkline.v1 import ErrorReason
from trunkline_bridge.errors import ROWS, answer, openai_param

HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
NO_RETRY = {"x-should-retry": "false"}

# The failure, and what the client sees of it: status, type, code, param and the headers that belong to it.
TOLD = [
    (InvalidRequestError("x"), (400, "invalid_request_error", None, None), {}),
    (BadKeyError("x"), (401, "invalid_request_error", "invalid_api_key", None), {"www-authenticate": "Bearer"}),
    (NotFoundError("x"), (404, "invalid_request_error", "model_not_found", "model"), {}),
    (ContextLengthError("x"), (400, "invalid_request_error", "context_length_exceeded", "messages"), {}),
    (
        IdempotencyConflictError("x"),
        (409, "invalid_request_error", "idempotency_conflict", None),
        NO_RETRY,
    ),
    (
        OverloadedError("x"),
        (503, "service_unavailable_error", "server_is_overloaded", None),
        {"retry-after": "2", "retry-after-ms": "1500"},
    ),
    (
        OverloadedError("x", retry_after_ms=100),
        (503, "service_unavailable_error", "server_is_overloaded", None),
        {"retry-after": "1", "retry-after-ms": "100"},
    ),
    (
        ShuttingDownError("x"),
        (503, "service_unavailable_error", "shutting_down", None),
        {"connection": "close", "retry-after": "2", "retry-after-ms": "1500"},
    ),
    (
        ProviderThrottledError("x", retry_after_ms=2001),
        (429, "rate_limit_error", "rate_limit_exceeded", None),
        {"retry-after": "3", "retry-after-ms": "2001"},
    ),
    (
        ProviderThrottledError("x", retry_after_ms=120_001),
        (429, "rate_limit_error", "rate_limit_exceeded", None),
        {"retry-after": "121", "retry-after-ms": "120001", **NO_RETRY},
    ),
    (ProviderThrottledError("x"), (429, "rate_limit_error", "rate_limit_exceeded", None), {}),
    (ProviderQuotaError("x"), (429, "insufficient_quota", "insufficient_quota", None), NO_RETRY),
    (BudgetSpentError("x"), (429, "insufficient_quota", "insufficient_quota", None), NO_RETRY),
    (ProviderUnavailableError("x"), (502, "server_error", "provider_unavailable", None), {}),
    (
        ProviderUnavailableError("x", provider_status=529),
        (503, "server_error", "provider_unavailable", None),
        {},
    ),
    (
        ProviderUnavailableError("x", provider_status=504),
        (504, "server_error", "provider_unavailable", None),
        {},
    ),
    (ProviderCredentialsError("x", provider_status=401), (502, "server_error", "provider_credentials", None), NO_RETRY),
    (DeadlineError("x"), (504, "server_error", "deadline_exceeded", None), NO_RETRY),
    (CancelledByCallerError("x"), (499, "invalid_request_error", "cancelled", None), NO_RETRY),
    (InternalError("x"), (500, "server_error", "internal_error", None), {}),
    (
        RejectedByProviderError("x", provider_status=422, provider_code="unprocessable"),
        (422, "invalid_request_error", "unprocessable", None),
        NO_RETRY,
    ),
    (
        RejectedByProviderError("x", provider_status=401),
        (400, "invalid_request_error", None, None),
        NO_RETRY,
    ),
    (
        RejectedByProviderError("x", native='{"error":{"message":"no","param":"reasoning_effort"}}'),
        (400, "invalid_request_error", None, "reasoning_effort"),
        NO_RETRY,
    ),
    (RejectedByProviderError("x", native="<html>"), (400, "invalid_request_error", None, None), NO_RETRY),
    (
        UnsupportedByModelError.at_field("choice_count", "only one"),
        (400, "invalid_request_error", "unsupported_parameter", "n"),
        {},
    ),
    (
        GatewayUnreachableError("x"),
        (503, "service_unavailable_error", "gateway_unreachable", None),
        {"retry-after": "2", "retry-after-ms": "1500"},
    ),
]


@pytest.mark.parametrize(("error", "told", "headers"), TOLD)
def test_a_failure_is_told_by_status_type_and_code(
    error: GatewayError, told: tuple[int, str, str | None, str | None], headers: dict[str, str]
) -> None:
    found = answer(error, retry_after_s=1.5)
    assert (found.status, found.type, found.code, found.param) == told
    assert found.headers == headers


def test_every_reason_has_its_row() -> None:
    assert set(ROWS) == set(ErrorReason.values()) - {ErrorReason.ERROR_REASON_UNSPECIFIED}
    assert set(BY_REASON) - {ErrorReason.ERROR_REASON_UNSPECIFIED} <= set(ROWS)


@pytest.mark.parametrize(
    ("code", "status"), [(1, 499), (2, 500), (3, 400), (5, 404), (6, 409), (7, 403), (8, 503), (14, 503), (16, 401)]
)
def test_a_reason_newer_than_the_bridge_goes_by_its_code(code: int, status: int) -> None:
    error = GatewayError("x")
    error.code = code
    error.reason = ErrorReason.ValueType(9999)
    assert answer(error, retry_after_s=1).status == status


def test_what_only_the_operator_may_know_is_not_told() -> None:
    for error in (ProviderCredentialsError("key sk-4 is dead"), InternalError("KeyError: 'x'")):
        assert error.message not in answer(error, retry_after_s=1).message


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ("max_output_tokens", "max_completion_tokens"),
        ("choice_count", "n"),
        ("reasoning.effort", "reasoning_effort"),
        ("reasoning.budget_tokens", "reasoning_effort.budget_tokens"),
        ("response_format.schema", "response_format.json_schema.schema"),
        ("routing.targets", "trunkline.targets"),
        ("prompt_cache.ttl_s", "prompt_cache_options.ttl_s"),
        ("extensions[openai_chat].guided_json", "guided_json"),
        ("messages[3].parts[1].image.media", "messages[3].content[1].image.media"),
        ("messages[3].parts[0].tool_call.name", "messages[3].tool_calls"),
        ("messages[3].parts[0].tool_result.call_id", "messages[3].tool_call_id"),
        ("messages[3].parts[0].tool_result.parts[0].json", "messages[3].content"),
        ("tools[2].name", "tools[2].function.name"),
        ("tools[2].server", "tools[2].server"),
        ("temperature", "temperature"),
        ("messages", "messages"),
    ],
)
def test_a_field_of_the_contract_is_named_as_openai_names_it(field: str, param: str) -> None:
    assert openai_param(field) == param
    error = answer(InvalidRequestError.at_field(field, "is wrong"), retry_after_s=1)
    assert (error.param, error.message) == (param, f"{param}: is wrong")


async def test_an_error_says_what_the_gateway_did(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    error = ProviderUnavailableError("the provider is down", provider_status=500)
    error.report = report()
    gateway.script = [error]
    async with http.post("/v1/chat/completions", json=HI, headers={"x-request-id": "mine-1"}) as response:
        assert response.status == 500
        assert response.headers["x-request-id"] == "mine-1"
        found = await response.json()
    assert found["error"] == {
        "message": "the provider is down",
        "type": "server_error",
        "param": None,
        "code": "provider_unavailable",
    }
    assert found["trunkline"]["request_id"] == "mine-1"
    assert [attempt["target"] for attempt in found["trunkline"]["attempts"]] == ["fake/fake-1"]


async def test_a_defect_is_a_500_that_tells_nothing_of_it(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    gateway.script = [ZeroDivisionError("c4n4ry")]
    for stream in (False, True):
        async with http.post("/v1/chat/completions", json=HI | {"stream": stream}) as response:
            assert response.status == 500
            text = await response.text()
        assert '"code":"internal_error"' in text
        assert "c4n4ry" not in text


@pytest.mark.parametrize("form", ["in_process"], indirect=True)
async def test_a_defect_is_logged_with_its_place_and_without_its_text(
    http: aiohttp.ClientSession, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    defect = ZeroDivisionError("c4n4ry")
    defect.__cause__ = KeyError("c4n4ry")
    gateway.script = [defect]
    async with http.post("/v1/chat/completions", json=HI):
        pass
    assert "ZeroDivisionError\ncaused by\nKeyError" in caplog.text
    assert "fake_gateway.py" in caplog.text
    assert "c4n4ry" not in caplog.text


async def test_a_malformed_request_is_logged_without_its_bytes(base_url: str, caplog: pytest.LogCaptureFixture) -> None:
    host, port = base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/models HTTP/1.1\r\nAuthorization: Bearer c4n4ry\x00\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.0 400")
    writer.close()
    await writer.wait_closed()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "c4n4ry" not in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("GET", "/", 404, "unknown_url", None),
        ("POST", "/v1/embeddings", 404, "unknown_url", None),
        ("GET", "/v1/models/", 404, "unknown_url", None),
        ("POST", "/v1/chat/completions/", 404, "unknown_url", None),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed", "POST"),
        ("OPTIONS", "/v1/chat/completions", 405, "method_not_allowed", "POST"),
        ("DELETE", "/v1/models/a/b", 405, "method_not_allowed", "GET, HEAD"),
        ("POST", "/v1/models", 405, "method_not_allowed", "GET, HEAD"),
    ],
)
async def test_what_is_not_served_is_said_in_the_same_shape(
    http: aiohttp.ClientSession, method: str, path: str, status: int, code: str, allow: str | None
) -> None:
    async with http.request(method, path) as response:
        assert (response.status, response.headers.get("allow")) == (status, allow)
        assert response.headers["x-request-id"]
        error = (await response.json())["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, code)
    assert path in error["message"]


async def test_a_gateway_that_goes_away_closes_the_connection(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    gateway.script = [ShuttingDownError("going away")]
    async with http.post("/v1/chat/completions", json=HI) as response:
        assert response.status == 503
        assert response.headers["connection"] == "close"
