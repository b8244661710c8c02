"""What Google's error answers mean; see the failure classes of the design.

https://cloud.google.com/apis/design/errors: an object `error` with code, message, status and typed details, or an array
that holds it. Neither a header nor the status tells a bad key from a bad request, or a spent quota from haste.
"""

from collections.abc import Iterator, Mapping
from typing import Final

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
from trunkline_server.dialects.error_answers import (
    BY_STATUS,
    is_code,
    kind_by_words,
    message_of,
    native_of,
    wait_ms,
    without_secrets,
)
from trunkline_server.dialects.gemini.fields import contract_field
from trunkline_server.dialects.json_values import Json
from trunkline_server.providers.target import Target
from trunkline_server.values.redaction import redact

# By the reason in an ErrorInfo, which is the most exact that there is.
_BY_REASON: Final[Mapping[str, type[GatewayError]]] = {
    "API_KEY_INVALID": ProviderCredentialsError,
    "API_KEY_EXPIRED": ProviderCredentialsError,
    "API_KEY_SERVICE_BLOCKED": ProviderCredentialsError,
    "API_KEY_HTTP_REFERRER_BLOCKED": ProviderCredentialsError,
    "API_KEY_IP_ADDRESS_BLOCKED": ProviderCredentialsError,
    "ACCESS_TOKEN_EXPIRED": ProviderCredentialsError,
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": ProviderCredentialsError,
    "CREDENTIALS_MISSING": ProviderCredentialsError,
    "SERVICE_DISABLED": ProviderCredentialsError,
    "CONSUMER_SUSPENDED": ProviderCredentialsError,
    "CONSUMER_INVALID": ProviderCredentialsError,
    "BILLING_DISABLED": ProviderQuotaError,
    "RATE_LIMIT_EXCEEDED": ProviderThrottledError,
}
# By the canonical status, where the number says less or, within a stream, is the only one.
_BY_WORD: Final[Mapping[str, type[GatewayError]]] = {
    "UNAUTHENTICATED": ProviderCredentialsError,
    "PERMISSION_DENIED": ProviderCredentialsError,
    "RESOURCE_EXHAUSTED": ProviderThrottledError,
    "INTERNAL": ProviderUnavailableError,
    "UNAVAILABLE": ProviderUnavailableError,
    "DEADLINE_EXCEEDED": ProviderUnavailableError,
    "ABORTED": ProviderUnavailableError,
    "CANCELLED": ProviderUnavailableError,
    "UNKNOWN": ProviderUnavailableError,
    "DATA_LOSS": ProviderUnavailableError,
    "INVALID_ARGUMENT": RejectedByProviderError,
    "FAILED_PRECONDITION": RejectedByProviderError,
    "OUT_OF_RANGE": RejectedByProviderError,
    "NOT_FOUND": RejectedByProviderError,
    "UNIMPLEMENTED": RejectedByProviderError,
}
# Words of INVALID_ARGUMENT and of RESOURCE_EXHAUSTED that mean something of their own; looked for in lower case.
_CONTEXT_TEXTS: Final = ("exceeds the maximum number of tokens", "input token count", "token count exceeds")
_BILLING_TEXTS: Final = (
    "billing is disabled",
    "billing to be enabled",
    "prepayment credits are depleted",
    "spending cap",
)
# What is wrong with where the gateway itself runs is for its operator, whatever status it has.
_OPERATORS_TEXTS: Final = ("user location is not supported",)
# Quotas of a day are not waited for; https://ai.google.dev/gemini-api/docs/rate-limits
_DAILY: Final = "perday"

_ERROR_INFO, _BAD_REQUEST, _QUOTA_FAILURE = "google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.QuotaFailure"
_OK, _CLIENT_ERROR, _SERVER_ERROR = 200, 400, 500


def read_error(target: Target, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The failure that an error answer means; a status of 2xx says that it came within an answer that began well."""
    raw = _error_in(without_secrets(target, body))
    if status // 100 == _OK // 100:
        code = raw.get("code")
        status = code if type(code) is int and _CLIENT_ERROR <= code < _SERVER_ERROR + 100 else 0
    said, word = raw.get("message"), raw.get("status")
    text = said if type(said) is str else ""
    kind = _kind_of(status, raw, text.lower())
    return kind(
        message_of(target, kind, status, text),
        retry_after_ms=wait_ms(kind, headers, raw),
        violations=list(_violations(raw)) if kind is RejectedByProviderError else (),
        provider_code=word if type(word) is str and is_code(word) else "",
        provider_status=status,
        native=native_of(kind, raw),
        target=target.name,
    )


def _kind_of(status: int, raw: Json, said: str) -> type[GatewayError]:
    for info in _details(raw, _ERROR_INFO):
        if (found := _BY_REASON.get(str(info.get("reason")))) is not None:
            return _throttled_or_spent(raw) if found is ProviderThrottledError else found
    kind = _BY_WORD.get(str(raw.get("status"))) or BY_STATUS.get(status)
    if kind is ProviderThrottledError:
        return ProviderQuotaError if any(text in said for text in _BILLING_TEXTS) else _throttled_or_spent(raw)
    if kind is None or kind is RejectedByProviderError:
        if any(text in said for text in _CONTEXT_TEXTS):
            return ContextLengthError
        if any(text in said for text in _BILLING_TEXTS):
            return ProviderQuotaError
        if any(text in said for text in _OPERATORS_TEXTS):
            return ProviderCredentialsError
        if (found := kind_by_words(said)) is not None:
            return found
    if kind is not None:
        return kind
    if _CLIENT_ERROR <= status < _SERVER_ERROR:
        return RejectedByProviderError
    return ProviderUnavailableError if status >= _SERVER_ERROR or raw else ProviderBadAnswerError


def _throttled_or_spent(raw: Json) -> type[GatewayError]:
    """Whether a limit is of a minute or of a day. The same status, and even the same words, stand for both."""
    quotas = [
        str(quota.get("quotaId", "")).lower() for failure in _details(raw, _QUOTA_FAILURE) for quota in _of(failure)
    ]
    return ProviderQuotaError if any(_DAILY in quota for quota in quotas) else ProviderThrottledError


def _violations(raw: Json) -> Iterator[FieldViolation]:
    for detail in _details(raw, _BAD_REQUEST):
        entries = detail.get("fieldViolations")
        for entry in entries if type(entries) is list else ():
            if type(entry) is dict and type(field := entry.get("field")) is str and field:
                described = entry.get("description")
                yield FieldViolation(
                    field=contract_field(redact(field, 128)),
                    description=redact(described) if type(described) is str else "",
                )


def _details(raw: Json, kind: str) -> Iterator[Json]:
    """The typed details of this kind."""
    details = raw.get("details")
    for detail in details if type(details) is list else ():
        if type(detail) is dict and str(detail.get("@type", "")).endswith(kind):
            yield detail


def _of(failure: Json) -> list[Json]:
    violations = failure.get("violations")
    return [entry for entry in violations if type(entry) is dict] if type(violations) is list else []


def _error_in(body: bytes) -> Json:
    """The object that says what went wrong; empty if the body, which may be anything, holds none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if type(value) is list and value:
        value = value[0]  # an error answer to a request for a stream is an array of one
    error = value.get("error") if type(value) is dict else None
    if type(error) is dict:
        return error
    return {"message": error} if type(error) is str else {}
