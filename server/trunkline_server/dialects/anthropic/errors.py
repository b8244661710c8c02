"""What Anthropic's error answers mean; see the failure classes of the design.

https://platform.claude.com/docs/en/api/errors: an object `error` with a type, a message and, since 2026, details whose
`error_code` is the most exact word that there is. On Google Cloud errors may be Google's own.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

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
from trunkline.v1 import FieldViolation
from trunkline_server.dialects.anthropic.fields import field_in
from trunkline_server.dialects.error_answers import (
    BY_STATUS,
    is_code,
    kind_by_words,
    message_of,
    native_of,
    wait_ms,
    without_secrets,
)
from trunkline_server.dialects.gemini.errors import read_error as read_google_error
from trunkline_server.dialects.json_values import Json
from trunkline_server.providers.target import Target
from trunkline_server.values.redaction import redact

# Spend limits are told with 429, and are not waited for.
_BY_CODE: Final[Mapping[str, type[GatewayError]]] = {
    "enforced_spend_limit_reached": ProviderQuotaError,
    "contract_spend_limit_reached": ProviderQuotaError,
    "linked_organization_spend_limit_reached": ProviderQuotaError,
    "linked_organization_billing_unavailable": ProviderQuotaError,
    "ramp_limit_exceeded": ProviderThrottledError,
    "organization_on_hold": ProviderCredentialsError,
}
_BY_TYPE: Final[Mapping[str, type[GatewayError]]] = {
    "authentication_error": ProviderCredentialsError,
    "permission_error": ProviderCredentialsError,
    "billing_error": ProviderQuotaError,
    "rate_limit_error": ProviderThrottledError,
    "overloaded_error": ProviderUnavailableError,
    "api_error": ProviderUnavailableError,
    "timeout_error": ProviderUnavailableError,
    "conflict_error": ProviderUnavailableError,
    "not_found_error": RejectedByProviderError,
    "request_too_large": RejectedByProviderError,
    "invalid_request_error": RejectedByProviderError,
}
# The status that a type has where it comes as an answer of its own, for those that come within a stream.
_STATUSES: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
# Words of invalid_request_error that mean something of their own; looked for in lower case.
_CONTEXT_TEXTS: Final = ("exceed context limit", "exceeds the context", "prompt is too long")
_QUOTA_TEXTS: Final = ("specified api usage limits", "spend limit", "credit balance is too low")

_OK, _CLIENT_ERROR, _SERVER_ERROR = 200, 400, 500


def read_error(target: Target, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The failure that an error answer means; a status of 2xx says that it came within an answer that began well."""
    plain = without_secrets(target, body)
    whole = _object_in(plain)
    if target.provider.kind.google_cloud and _is_googles(whole):
        return read_google_error(target, status, headers, body)
    raw = _error_in(whole)
    native_type = _text_of(raw.get("type"))
    if status // 100 == _OK // 100:
        status = _STATUSES.get(native_type, 0)
    details, said = raw.get("details"), _text_of(raw.get("message"))
    error_code = _text_of(details.get("error_code")) if isinstance(details, dict) else ""
    kind = _kind_of(status, native_type, error_code, raw, said.lower())
    code = error_code or native_type
    return kind(
        message_of(target, kind, status, said),
        retry_after_ms=wait_ms(kind, headers, raw),
        violations=_violations(said) if kind is RejectedByProviderError else (),
        provider_code=code if is_code(code) else "",
        provider_status=status,
        native=native_of(kind, _with_request_id(raw, whole)),
        target=target.name,
    )


def _kind_of(status: int, native_type: str, error_code: str, raw: Json, said: str) -> type[GatewayError]:
    if (found := _BY_CODE.get(error_code)) is not None:
        return found
    kind = _BY_TYPE.get(native_type) or BY_STATUS.get(status)
    if kind is None or kind is RejectedByProviderError:
        if any(text in said for text in _CONTEXT_TEXTS):
            return ContextLengthError
        if any(text in said for text in _QUOTA_TEXTS):
            return ProviderQuotaError
        refuses = kind is not None or _CLIENT_ERROR <= status < _SERVER_ERROR
        if refuses and (found := kind_by_words(said)) is not None:
            return found
    if kind is not None:
        return kind
    if _CLIENT_ERROR <= status < _SERVER_ERROR:
        return RejectedByProviderError
    return ProviderUnavailableError if status >= _SERVER_ERROR or raw else ProviderBadAnswerError


def _violations(said: str) -> list[FieldViolation]:
    field = field_in(said)
    return [FieldViolation(field=redact(field, 128), description=redact(said))] if field else []


def _with_request_id(raw: Json, whole: Json) -> Json:
    """The error and, beside what it says, the id that its provider knows it by."""
    request_id = whole.get("request_id")
    return {**raw, "request_id": request_id} if raw and isinstance(request_id, str) else raw


def _is_googles(whole: Json) -> bool:
    error = whole.get("error")
    return isinstance(error, dict) and isinstance(error.get("code"), int)


def _object_in(body: bytes) -> Json:
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if isinstance(value, list) and value:
        value = value[0]  # Google's answer to a request for a stream is an array of one
    return value if isinstance(value, dict) else {}


def _error_in(whole: Json) -> Json:
    """The object that says what went wrong; empty if there is none."""
    error = whole.get("error")
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) else {}


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else ""
