"""Error answers of Claude's wire become the right class, with the vendor's words where they are the caller's business."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
import pytest

from targets import target_of
from trunkline.errors import (
    ContentFilterError,
    ContextLengthError,
    GatewayError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
)
from trunkline_server.dialects.anthropic import Anthropic


class Case(NamedTuple):
    status: int
    error: Mapping[str, Any]
    kind: type[GatewayError]
    code: str
    headers: Mapping[str, str] = {}
    retry_after_ms: int | None = None


def error(kind: str, message: str = "Vendor words", code: str = "") -> Mapping[str, Any]:
    found: dict[str, Any] = {"type": kind, "message": message}
    return found | {"details": {"error_code": code}} if code else found


# https://platform.claude.com/docs/en/api/errors
CASES: Mapping[str, Case] = {
    "bad_request": Case(400, error("invalid_request_error"), RejectedByProviderError, "invalid_request_error"),
    "too_long": Case(
        400,
        error("invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
        ContextLengthError,
        "invalid_request_error",
    ),
    "too_long_with_output": Case(
        400,
        error("invalid_request_error", "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000"),
        ContextLengthError,
        "invalid_request_error",
    ),
    "own_spend_limit": Case(
        400,
        error("invalid_request_error", "You have reached your specified API usage limits."),
        ProviderQuotaError,
        "invalid_request_error",
    ),
    "no_credit": Case(
        400,
        error("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        ProviderQuotaError,
        "invalid_request_error",
    ),
    "filtered": Case(
        400,
        error("invalid_request_error", "Output blocked by content policy"),
        ContentFilterError,
        "invalid_request_error",
    ),
    "bad_key": Case(401, error("authentication_error"), ProviderCredentialsError, "authentication_error"),
    "unpaid": Case(402, error("billing_error"), ProviderQuotaError, "billing_error"),
    "forbidden": Case(403, error("permission_error"), ProviderCredentialsError, "permission_error"),
    "no_such_model": Case(404, error("not_found_error"), RejectedByProviderError, "not_found_error"),
    "conflict": Case(409, error("conflict_error"), ProviderUnavailableError, "conflict_error"),
    "too_large": Case(413, error("request_too_large"), RejectedByProviderError, "request_too_large"),
    "throttled": Case(
        429, error("rate_limit_error"), ProviderThrottledError, "rate_limit_error", {"retry-after": "7"}, 7000
    ),
    "throttled_by_a_limit": Case(
        429,
        error("rate_limit_error"),
        ProviderThrottledError,
        "rate_limit_error",
        {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "1970-01-01T00:00:00Z"},
        0,
    ),
    "ramp_limit": Case(
        429,
        error("rate_limit_error", code="ramp_limit_exceeded"),
        ProviderThrottledError,
        "ramp_limit_exceeded",
    ),
    **{
        code: Case(429, error("rate_limit_error", code=code), ProviderQuotaError, code, {"retry-after": "7"})
        for code in (
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "linked_organization_spend_limit_reached",
        )
    },
    "internal": Case(500, error("api_error"), ProviderUnavailableError, "api_error"),
    "timeout": Case(504, error("timeout_error"), ProviderUnavailableError, "timeout_error"),
    "overloaded": Case(
        529, error("overloaded_error"), ProviderUnavailableError, "overloaded_error", {"retry-after": "2"}, 2000
    ),
    "type_of_tomorrow": Case(418, error("teapot_error"), RejectedByProviderError, "teapot_error"),
    "status_of_tomorrow": Case(599, error("teapot_error"), ProviderUnavailableError, "teapot_error"),
}
# Whose words are the operator's business only.
SILENT = (ProviderCredentialsError, ProviderQuotaError, ProviderThrottledError)


def told(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, *, kind: str = "anthropic"
) -> GatewayError:
    return Anthropic().error(target_of(kind, model="claude-opus-5"), status, headers or {}, body)


@pytest.mark.parametrize("name", CASES)
def test_a_failure_has_its_class_code_and_wait(name: str) -> None:
    case = CASES[name]
    body = orjson.dumps({"type": "error", "error": case.error, "request_id": "req_011"})
    failure = told(case.status, body, case.headers)
    assert type(failure) is case.kind
    assert (failure.provider_code, failure.provider_status) == (case.code, case.status)
    assert failure.retry_after_ms == case.retry_after_ms
    assert failure.target == "anthropic/claude-opus-5"
    assert (case.error["message"] in failure.message) == (case.kind not in SILENT)
    assert ("req_011" in failure.native) == (case.kind not in SILENT)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 502, ProviderUnavailableError),
        (b"<html>Bad gateway</html>", 502, ProviderUnavailableError),
        (b"[]", 400, RejectedByProviderError),
        (b'{"error":"No"}', 400, RejectedByProviderError),
        (
            b'{"type":"error","error":{"type":7,"message":[],"details":"x"},"request_id":3}',
            500,
            ProviderUnavailableError,
        ),
        (b"not json", 200, ProviderBadAnswerError),
    ],
)
def test_a_body_may_be_anything(body: bytes, status: int, kind: type[GatewayError]) -> None:
    assert type(told(status, body)) is kind


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("messages.0.content.1.text: Field required", "messages"),
        ("max_tokens: 200000 > 64000, which is the maximum", "max_output_tokens"),
        ("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024", "reasoning"),
        ("output_config.format.schema: For 'object' type, set it to false", "response_format"),
        ("tools.3.custom.name: String should match pattern", "tools"),
        ("temperature: Extra inputs are not permitted", "temperature"),
        ("system: text content blocks must contain non-whitespace text", "messages"),
    ],
)
def test_an_error_names_the_field_as_the_contract_does(message: str, field: str) -> None:
    failure = told(400, orjson.dumps({"type": "error", "error": error("invalid_request_error", message)}))
    assert [violation.field for violation in failure.violations] == [field]


def test_googles_own_errors_are_understood_on_google_cloud() -> None:
    body = orjson.dumps(
        [{"error": {"code": 429, "message": "Quota exceeded for online_prediction", "status": "RESOURCE_EXHAUSTED"}}]
    )
    assert type(told(429, body, kind="vertex")) is ProviderThrottledError
    own = orjson.dumps({"type": "error", "error": error("overloaded_error")})
    assert type(told(529, own, kind="vertex")) is ProviderUnavailableError
