"""Google's error answers mean the right failure, say how long to wait and what was wrong, and never tell a secret."""

from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from targets import target_of
from trunkline.errors import (
    ContextLengthError,
    GatewayError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
)
from trunkline.secret import Secret
from trunkline.v1 import FieldViolation
from trunkline_server.dialects.gemini import Gemini
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target

CANARY = "canary-4f1e"
TYPE = "type.googleapis.com/google.rpc."
BAD_KEY = {"@type": f"{TYPE}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
RETRY = {"@type": f"{TYPE}RetryInfo", "retryDelay": "12.5s"}


def read(status: int, body: object, headers: Mapping[str, str] | None = None) -> GatewayError:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Gemini().error(target_of("gemini", model="gemini-3-flash"), status, headers or {}, raw)


def google(code: int, word: str, message: str = "m", *details: object) -> object:
    return {"error": {"code": code, "message": message, "status": word, "details": list(details)}}


def info(reason: str) -> object:
    return {"@type": f"{TYPE}ErrorInfo", "reason": reason}


def quota(quota_id: str) -> object:
    return {"@type": f"{TYPE}QuotaFailure", "violations": [{"quotaId": quota_id}]}


MEANINGS: list[tuple[int, object, type[GatewayError]]] = [
    (400, google(400, "INVALID_ARGUMENT"), RejectedByProviderError),
    (400, google(400, "FAILED_PRECONDITION"), RejectedByProviderError),
    (
        400,
        google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", BAD_KEY),
        ProviderCredentialsError,
    ),
    (400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), ProviderCredentialsError),
    (400, google(400, "INVALID_ARGUMENT", "API key expired.", info("API_KEY_EXPIRED")), ProviderCredentialsError),
    (
        400,
        google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        ProviderCredentialsError,
    ),
    (
        400,
        google(400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed"),
        ContextLengthError,
    ),
    (401, google(401, "UNAUTHENTICATED"), ProviderCredentialsError),
    (401, b"", ProviderCredentialsError),
    (403, google(403, "PERMISSION_DENIED"), ProviderCredentialsError),
    (403, google(403, "PERMISSION_DENIED", "m", info("SERVICE_DISABLED")), ProviderCredentialsError),
    (403, google(403, "PERMISSION_DENIED", "m", info("BILLING_DISABLED")), ProviderQuotaError),
    (404, google(404, "NOT_FOUND", "models/gemini-9 is not found"), RejectedByProviderError),
    (404, b"<html>Not Found</html>", RejectedByProviderError),
    (429, google(429, "RESOURCE_EXHAUSTED"), ProviderThrottledError),
    (429, google(429, "RESOURCE_EXHAUSTED", "m", quota("GenerateRequestsPerMinutePerProject")), ProviderThrottledError),
    (
        429,
        google(429, "RESOURCE_EXHAUSTED", "m", quota("GenerateRequestsPerDayPerProject-FreeTier")),
        ProviderQuotaError,
    ),
    (429, google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), ProviderQuotaError),
    (429, google(429, "RESOURCE_EXHAUSTED", "m", info("RATE_LIMIT_EXCEEDED")), ProviderThrottledError),
    (429, b"", ProviderThrottledError),
    (499, google(499, "CANCELLED"), ProviderUnavailableError),
    (500, google(500, "INTERNAL"), ProviderUnavailableError),
    (502, b"<html>Bad Gateway</html>", ProviderUnavailableError),
    (503, google(503, "UNAVAILABLE", "The model is overloaded."), ProviderUnavailableError),
    (504, google(504, "DEADLINE_EXCEEDED"), ProviderUnavailableError),
    (504, [google(504, "DEADLINE_EXCEEDED")], ProviderUnavailableError),
    (302, b"", ProviderBadAnswerError),
]


@pytest.mark.parametrize(("status", "body", "kind"), MEANINGS)
def test_an_error_answer_means(status: int, body: object, kind: type[GatewayError]) -> None:
    error = read(status, body)
    assert type(error) is kind
    assert (error.target, error.provider_status) == ("gemini/gemini-3-flash", status)


@pytest.mark.parametrize(
    ("details", "headers", "wait_ms"),
    [
        ([RETRY], {}, 12_500),
        ([], {"retry-after": "3"}, 3000),
        ([RETRY], {"retry-after": "3"}, 3000),
        ([{"@type": f"{TYPE}RetryInfo", "retryDelay": 7}], {}, None),
        ([], {}, None),
    ],
)
@pytest.mark.parametrize(("status", "word"), [(429, "RESOURCE_EXHAUSTED"), (503, "UNAVAILABLE")])
def test_the_wait_stands_in_the_details(
    status: int, word: str, details: list[object], headers: Mapping[str, str], wait_ms: int | None
) -> None:
    assert read(status, google(status, word, "m", *details), headers).retry_after_ms == wait_ms


def test_what_was_wrong_is_named_as_the_contract_names_it() -> None:
    bad = {
        "@type": f"{TYPE}BadRequest",
        "fieldViolations": [
            {"field": "generation_config.max_output_tokens", "description": "must be positive"},
            {"field": "generationConfig.topP", "description": "is out of range"},
            {"field": "contents[1].parts[0].inline_data", "description": "is empty"},
            {"field": "tools[0].function_declarations[0].name", "description": "is no name"},
            {"description": "of nothing"},
            7,
        ],
    }
    error = read(400, google(400, "INVALID_ARGUMENT", "Invalid value", bad))
    assert error.message == "provider gemini: Invalid value"
    assert error.provider_code == "INVALID_ARGUMENT"
    assert list(error.violations) == [
        FieldViolation(field="max_output_tokens", description="must be positive"),
        FieldViolation(field="top_p", description="is out of range"),
        FieldViolation(field="messages", description="is empty"),
        FieldViolation(field="tools", description="is no name"),
    ]


@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL")],
)
def test_a_vendor_that_repeats_the_key_tells_nobody(status: int, word: str) -> None:
    kind = KINDS["gemini"]
    provider = Provider(
        name="gemini", kind=kind, base_url=kind.base_url, api_keys=(Secret(CANARY),), headers={"x-own": f"{CANARY}-2"}
    )
    body = orjson.dumps(google(status, word, f"the key {CANARY} of {CANARY}-2", {"@type": CANARY, "key": CANARY}))
    error = Gemini().error(Target.of(provider, "gemini-3-flash"), status, {}, body)
    assert CANARY not in f"{error.message}{error.native}{error.violations}{error.provider_code}"


@settings(deadline=None)
@given(
    st.sampled_from([200, 302, 400, 403, 429, 503]),
    st.binary(max_size=40)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "code", "message", "status", "details", "@type"]), inner, max_size=4
            )
        ),
    ).map(lambda value: repr(value).replace("'", '"').encode()),
)
def test_any_body_is_a_failure(status: int, body: bytes) -> None:
    assert isinstance(read(status, body), GatewayError)
