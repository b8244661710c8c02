"""Error answers of the chat completions wire mean the right failure and never tell a secret."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from targets import target_of
from trunkline.errors import (
    ContentFilterError,
    ContextLengthError,
    GatewayError,
    MalformedToolCallError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
)
from trunkline.secret import Secret
from trunkline_server.dialects.openai_chat import OpenAIChat
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target

CANARY = "canary-4f1e"


def read(status: int, body: object, headers: Mapping[str, str] | None = None) -> GatewayError:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return OpenAIChat().error(target_of("openai"), status, headers or {}, raw)


def openai(
    code: str | None, kind: str = "invalid_request_error", message: str = "m", param: str | None = None
) -> object:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


MEANINGS: list[tuple[int, object, type[GatewayError]]] = [
    # OpenAI
    (400, openai("invalid_value", param="messages[0].role"), RejectedByProviderError),
    (400, openai("context_length_exceeded"), ContextLengthError),
    (400, openai(None, message="This model's maximum context length is 8192 tokens."), ContextLengthError),
    (401, openai("invalid_api_key"), ProviderCredentialsError),
    (401, openai(None), ProviderCredentialsError),
    (403, openai("unsupported_country_region_territory"), ProviderCredentialsError),
    (404, openai("model_not_found", param="model"), RejectedByProviderError),
    (409, openai(None), ProviderUnavailableError),
    (413, openai(None), RejectedByProviderError),
    (422, openai(None), RejectedByProviderError),
    (429, openai("rate_limit_exceeded", "tokens"), ProviderThrottledError),
    (429, openai("slow_down"), ProviderThrottledError),
    (503, openai("slow_down"), ProviderThrottledError),
    (429, openai("insufficient_quota", "insufficient_quota"), ProviderQuotaError),
    (429, openai("credit_balance_exhausted"), ProviderQuotaError),
    (429, openai(None, "insufficient_quota"), ProviderQuotaError),
    (500, openai("server_error", "server_error"), ProviderUnavailableError),
    (503, openai("server_is_overloaded", "service_unavailable_error"), ProviderUnavailableError),
    # Azure
    (
        400,
        {"error": {"message": "m", "type": None, "param": "prompt", "code": "content_filter", "status": 400}},
        ContentFilterError,
    ),
    (400, {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, ContentFilterError),
    (401, {"error": {"code": "401", "message": "Access denied"}}, ProviderCredentialsError),
    (404, {"error": {"code": "DeploymentNotFound", "message": "m"}}, RejectedByProviderError),
    # Mistral, and FastAPI behind many engines
    (422, {"detail": [{"msg": "Field required", "loc": ["body", "messages"]}]}, RejectedByProviderError),
    (
        400,
        {"object": "error", "message": "m", "type": "invalid_request_prompt", "code": "1300"},
        RejectedByProviderError,
    ),
    # Groq, DeepSeek, OpenRouter
    (400, openai("tool_use_failed"), MalformedToolCallError),
    (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}, ProviderQuotaError),
    (
        429,
        {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": "r"}}},
        ProviderThrottledError,
    ),
    (403, {"error": {"code": 403, "message": 'your input was flagged for "x"'}}, ContentFilterError),
    # Gemini's copy of the wire
    (400, [{"error": {"code": 400, "message": "API key not valid."}}], ProviderCredentialsError),
    # vLLM, llama.cpp, LM Studio, Ollama
    (400, {"error": {"message": "m", "type": "BadRequestError", "param": None, "code": 400}}, RejectedByProviderError),
    (400, {"error": {"code": 400, "message": "m", "type": "exceed_context_size_error"}}, ContextLengthError),
    (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, ProviderUnavailableError),
    (400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}, RejectedByProviderError),
    (500, {"error": "model runner has unexpectedly stopped"}, ProviderUnavailableError),
    # Anything else, told by the status alone
    (408, b"", ProviderUnavailableError),
    (400, b"<html>Bad Request</html>", RejectedByProviderError),
    (401, b"nope", ProviderCredentialsError),
    (429, b"\xff\xfe", ProviderThrottledError),
    (502, b"<html>Bad Gateway</html>", ProviderUnavailableError),
    (529, b"{}", ProviderUnavailableError),
    (599, b"[]", ProviderUnavailableError),
    (302, b"", ProviderBadAnswerError),
    (200, b"", ProviderBadAnswerError),
    # In band
    (200, openai("server_error"), ProviderUnavailableError),
    (200, openai("invalid_api_key"), ProviderCredentialsError),
    (200, {"error": {"message": "The prompt is too long"}}, ContextLengthError),
    (200, {"error": {"code": "429", "message": "m"}}, ProviderThrottledError),
]


@pytest.mark.parametrize(("status", "body", "meaning"), MEANINGS)
def test_an_error_answer_means(status: int, body: object, meaning: type[GatewayError]) -> None:
    error = read(status, body)
    assert type(error) is meaning
    assert error.target == "openai/m-1"
    assert error.message
    if status >= 300:
        assert error.provider_status == status


def test_a_refusal_tells_the_caller_what_the_vendor_said() -> None:
    error = read(400, openai("invalid_value", message="Unsupported value", param="max_completion_tokens"))
    assert error.message == "provider openai: Unsupported value"
    assert error.provider_code == "invalid_value"
    assert [(v.field, v.description) for v in error.violations] == [("max_output_tokens", "Unsupported value")]
    assert orjson.loads(error.native) == openai(
        "invalid_value", message="Unsupported value", param="max_completion_tokens"
    )


@pytest.mark.parametrize(
    ("param", "field"),
    [
        ("model", "model"),
        ("n", "choice_count"),
        ("user", "end_user"),
        ("reasoning_effort", "reasoning.effort"),
        ("messages[3]", "messages[3]"),
        ("messages[0].content[1].image_url", "messages[0].parts[1].image_url"),
        ("messages.1.content.0.text", "messages.1.parts.0.text"),
        ("tools[0].function.parameters", "tools[0].parameters"),
        ("response_format.json_schema.schema", "response_format.schema"),
        ("modalities[0]", "output_modalities[0]"),
        ("web_search_options", "web_search_options"),
    ],
)
def test_parameters_are_named_as_fields_of_the_contract(param: str, field: str) -> None:
    assert [violation.field for violation in read(400, openai("x", param=param)).violations] == [field]


@pytest.mark.parametrize(
    ("headers", "wait_ms"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20_000),
        ({"retry-after": "0.25"}, 250),
        ({"retry-after": "-3"}, 0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1500),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9000),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e300"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_the_provider_asks_for_is_told(status: int, headers: dict[str, str], wait_ms: int | None) -> None:
    assert read(status, {}, headers).retry_after_ms == wait_ms


def test_the_wait_may_be_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    wait_ms = read(429, {}, {"retry-after": at}).retry_after_ms
    assert wait_ms is not None
    assert 55_000 < wait_ms <= 60_000


def test_the_wait_may_stand_in_the_body() -> None:
    """As on Gemini's copy of the wire, which has no header for it."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}
    error = {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED", "details": [info]}
    for body in ([{"error": error}], {"error": error}):
        assert read(429, body).retry_after_ms == 12_000


@pytest.mark.parametrize("body", [openai("insufficient_quota"), openai("context_length_exceeded")])
def test_where_waiting_does_not_help_none_is_told(body: object) -> None:
    assert read(429, body, {"retry-after": "5"}).retry_after_ms is None


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 503, 200])
def test_the_credentials_of_the_gateway_never_come_back(status: int) -> None:
    provider = Provider(
        name="own",
        kind=KINDS["openai_compatible"],
        base_url="http://127.0.0.1:9/v1",
        api_keys=(Secret(CANARY),),
        headers={"X-Tenant-Key": f"{CANARY}-too"},
    )
    message = f"Incorrect key provided: {CANARY}; header {CANARY}-too"
    body = orjson.dumps({"error": {"message": message, "code": CANARY, "param": CANARY, "extra": {"k": CANARY}}})
    error = OpenAIChat().error(Target.of(provider, "m"), status, {}, body)
    assert CANARY not in str(error.to_failure())
    assert CANARY not in repr(error)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, openai(None, message="Incorrect API key provided: sk-abcdef")),
        (429, openai(None, message="org-1 at TPM 30000")),
    ],
)
def test_what_the_vendor_says_of_our_account_is_not_passed_on(status: int, body: object) -> None:
    error = read(status, body)
    assert "sk-abcdef" not in str(error.to_failure())
    assert "org-1" not in str(error.to_failure())
    assert error.native == ""


def test_what_the_model_wrote_is_no_part_of_a_failure() -> None:
    error = read(400, {"error": {"message": "m", "code": "tool_use_failed", "failed_generation": CANARY}})
    assert CANARY not in str(error.to_failure())


def test_a_huge_error_is_not_passed_on_whole() -> None:
    error = read(400, {"error": {"message": "word " * 10_000}})
    assert len(error.message) < 600
    assert error.native == ""


@settings(deadline=None)
@given(
    st.integers(100, 599),
    st.binary(max_size=50)
    | st.recursive(
        st.none() | st.booleans() | st.integers(-5, 600) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "message", "detail", "code", "type", "param", "status", "innererror", "msg"]),
                inner,
                max_size=4,
            )
        ),
    ).map(orjson.dumps),
)
def test_any_body_is_some_failure(status: int, body: bytes) -> None:
    error = read(status, body)
    failure = error.to_failure()
    assert failure.code
    assert failure.message
