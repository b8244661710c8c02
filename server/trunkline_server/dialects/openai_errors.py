"""What the error answers of OpenAI's APIs, and of those who copy them, mean; see the failure classes of the design."""

from collections.abc import Callable, Mapping
from typing import Final

import orjson

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
from trunkline.v1 import FieldViolation
from trunkline_server.dialects.error_answers import (
    BY_STATUS,
    is_code,
    kind_by_words,
    message_of,
    native_of,
    wait_ms,
    without_secrets,
)
from trunkline_server.dialects.json_values import Json
from trunkline_server.providers.target import Target
from trunkline_server.values.redaction import redact

# Codes of a fault of the request that come within an answer that began well, where no status tells.
_REJECTIONS: Final = (
    "data_residency_mismatch",
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
    "image_file_too_large",
    "image_parse_error",
    "image_too_large",
    "image_too_small",
    "invalid_base64_image",
    "invalid_image",
    "invalid_image_format",
    "invalid_image_mode",
    "invalid_image_url",
    "unsupported_image_media_type",
)
# By the vendor's `code` or, where that says nothing, its `type`. They decide over the status: OpenAI tells a spent
# quota with 429, too, and it must not be waited for.
BY_CODE: Final[Mapping[str, type[GatewayError]]] = {
    "insufficient_quota": ProviderQuotaError,
    "credit_balance_exhausted": ProviderQuotaError,
    "billing_hard_limit_reached": ProviderQuotaError,
    "billing_not_active": ProviderQuotaError,
    "insufficient_balance": ProviderQuotaError,
    "insufficient_credits": ProviderQuotaError,
    "quota_exceeded": ProviderQuotaError,
    "rate_limit_exceeded": ProviderThrottledError,
    "rate_limit_error": ProviderThrottledError,
    "rate_limited": ProviderThrottledError,
    "too_many_requests": ProviderThrottledError,
    "request_limit_exceeded": ProviderThrottledError,
    "slow_down": ProviderThrottledError,
    "context_length_exceeded": ContextLengthError,
    "exceed_context_size_error": ContextLengthError,
    "model_max_prompt_tokens_exceeded": ContextLengthError,
    "content_filter": ContentFilterError,
    "content_policy_violation": ContentFilterError,
    "responsibleaipolicyviolation": ContentFilterError,
    "data_inspection_failed": ContentFilterError,
    "moderation_blocked": ContentFilterError,
    # https://platform.openai.com/docs/api-reference/responses: why an answer that began may fail.
    "invalid_prompt": ContentFilterError,
    "bio_policy": ContentFilterError,
    "misalignment_policy_violation": ContentFilterError,
    "image_content_policy_violation": ContentFilterError,
    "vector_store_timeout": ProviderUnavailableError,
    **dict.fromkeys(_REJECTIONS, RejectedByProviderError),
    "invalid_api_key": ProviderCredentialsError,
    "incorrect_api_key": ProviderCredentialsError,
    "authentication_error": ProviderCredentialsError,
    "invalid_authentication": ProviderCredentialsError,
    "account_deactivated": ProviderCredentialsError,
    "permission_error": ProviderCredentialsError,
    "permission_denied": ProviderCredentialsError,
    "tool_use_failed": MalformedToolCallError,
    "server_error": ProviderUnavailableError,
    "internal_server_error": ProviderUnavailableError,
    "internal_error": ProviderUnavailableError,
    "service_unavailable_error": ProviderUnavailableError,
    "service_unavailable": ProviderUnavailableError,
    "server_is_overloaded": ProviderUnavailableError,
    "overloaded_error": ProviderUnavailableError,
    "unavailable_error": ProviderUnavailableError,
    "engine_overloaded_error": ProviderUnavailableError,
}

# What the model wrote is no part of a failure.
_CONTENT_MEMBERS: Final = frozenset({"failed_generation"})

# Databricks has error_code, TGI error_type.
_CODE_NAMES: Final = ("code", "error_code", "type", "error_type")
_OK, _BAD_REQUEST, _SERVER_ERROR = 200, 400, 500


def read_error(
    target: Target,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    fields: Callable[[str], str],
    advice: Callable[[str, str], str] = lambda param, said: "",
) -> GatewayError:
    """The failure that an error answer means; a status of 2xx says that it came within an answer that began well.

    `fields` gives the contract's name for a parameter of the wire; `advice` what is to be added to words about one.
    """
    raw = _error_in(without_secrets(target, body))
    if status // 100 == _OK // 100:
        status = _status_in(raw)
    code, said, param = _code_of(raw), _text_of(raw.get("message")), _text_of(raw.get("param"))
    kind = _kind_of(status, raw, said.lower())
    message, violations = message_of(target, kind, status, said), []
    if kind is RejectedByProviderError and param:
        message = f"{message} {advice(param, said)}".rstrip()
        violations = [FieldViolation(field=fields(redact(param, 128)), description=redact(said))]
    return kind(
        message,
        retry_after_ms=wait_ms(kind, headers, raw),
        violations=violations,
        provider_code=code,
        provider_status=status,
        native=native_of(kind, {name: value for name, value in raw.items() if name not in _CONTENT_MEMBERS}),
        target=target.name,
    )


def _kind_of(status: int, raw: Json, said: str) -> type[GatewayError]:
    inner = raw.get("innererror")
    holders = (raw, inner) if isinstance(inner, dict) else (raw,)
    for holder in holders:
        for name in _CODE_NAMES:
            if (found := BY_CODE.get(_text_of(holder.get(name)).lower())) is not None:
                return found
    refuses = _BAD_REQUEST <= status < _SERVER_ERROR
    if (refuses or not status) and (by_words := kind_by_words(said)) is not None:
        return by_words
    if (found := BY_STATUS.get(status)) is not None:
        return found
    if not refuses:
        return ProviderUnavailableError if status >= _SERVER_ERROR or raw else ProviderBadAnswerError
    return RejectedByProviderError


def _error_in(body: bytes) -> Json:
    """The object that says what went wrong; empty if the body, which may be anything, holds none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if isinstance(value, list) and value:
        value = value[0]  # Gemini's copy of the wire
    if not isinstance(value, dict):
        return {}
    error = value.get("error", value)
    if isinstance(error, dict):
        return error if "message" in error or "error" in value else {**error, "message": _detail_of(error)}
    return {**value, "message": error if isinstance(error, str) else value.get("message")}


def _detail_of(error: Json) -> str:
    """FastAPI's words (Mistral, engines): a text, or a list of objects with `msg`; DeepInfra's: an object."""
    detail = error.get("detail")
    if isinstance(detail, dict):
        detail = detail.get("error")
    if isinstance(detail, list):
        return "; ".join(_text_of(item.get("msg")) for item in detail if isinstance(item, dict))
    return _text_of(detail)


def _status_in(raw: Json) -> int:
    """The status that a failure within an answer tells of itself; 0 if none."""
    for name in ("status_code", "status", "code"):
        value = raw.get(name)
        if isinstance(value, str) and value.isascii() and value.isdecimal():
            value = int(value[:4])
        if isinstance(value, int) and _BAD_REQUEST <= value < _SERVER_ERROR + 100:
            return value
    return 0


def _code_of(raw: Json) -> str:
    """The vendor's code, or its type where that is all there is, if it can be a code and not a text."""
    for name in _CODE_NAMES:
        text = raw.get(name)
        if isinstance(text, str) and is_code(text):
            return text
    return ""


def _text_of(value: object) -> str:
    match value:
        case str():
            return value
        case int() if not isinstance(value, bool):
            return str(value)
        case _:
            return ""
