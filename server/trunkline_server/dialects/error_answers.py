"""What all dialects do with a provider's error answer: what of it may be shown, and what its words mean."""

import re
from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.errors import (
    ContentFilterError,
    ContextLengthError,
    GatewayError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderThrottledError,
    ProviderUnavailableError,
)
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.retry_after import retry_after_ms
from trunkline_server.providers.target import Target
from trunkline_server.values.redaction import redact

BY_STATUS: Final[Mapping[int, type[GatewayError]]] = {
    401: ProviderCredentialsError,
    402: ProviderQuotaError,
    403: ProviderCredentialsError,
    408: ProviderUnavailableError,
    409: ProviderUnavailableError,
    425: ProviderUnavailableError,
    429: ProviderThrottledError,
}
"""By status, where nothing else tells. Other 4xx are the request's fault, other statuses the provider's."""

# Words of vendors that have no code for it, in lower case; looked for in answers that refuse the request, whatever their
# status: OpenRouter refuses content with 403, Gemini a bad key with 400, an empty purse DeepSeek with 402, Novita with 403
# and Z.ai with 429.
_TEXTS: Final[tuple[tuple[tuple[str, ...], type[GatewayError]], ...]] = (
    (
        (
            "exceeded your current quota",
            "insufficient balance",
            "insufficient credits",
            "credit balance is too low",
            "not enough balance",
        ),
        ProviderQuotaError,
    ),
    (("api key not valid", "incorrect api key", "invalid api key", "no auth credentials"), ProviderCredentialsError),
    (("content management policy", "content policy", "input was flagged"), ContentFilterError),
    (
        (
            "context length",
            "context window",
            "context size",
            "context overflow",
            "maximum context",
            "greater than the context",
            "prompt is too long",
            "input is too long",
            "exceeds the maximum number of tokens",
            "reduce the length of the messages",
            "`inputs` tokens + `max_new_tokens` must be",
            "`inputs` must have less than",
        ),
        ContextLengthError,
    ),
)

# These say nothing that the caller could act on, and the vendor's words about them may name keys, accounts and limits.
_SAFE_TEXTS: Final[Mapping[type[GatewayError], str]] = {
    ProviderCredentialsError: "provider {name} refused the gateway's credentials; its operator must act",
    ProviderQuotaError: "the gateway's quota at provider {name} is spent; its operator must act",
    ProviderThrottledError: "provider {name} limits the rate of requests",
}
_WAITING_HELPS: Final = (ProviderThrottledError, ProviderUnavailableError)

_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MAX_NATIVE_CHARS: Final = 2048
_MIN_SECRET_CHARS: Final = 4


def without_secrets(target: Target, body: bytes) -> bytes:
    """What the gateway itself sent to prove who it is never comes back to a caller, whatever it looks like."""
    provider = target.provider
    for secret in (*(key.reveal() for key in provider.api_keys), *provider.headers.values()):
        if len(secret) >= _MIN_SECRET_CHARS:
            body = body.replace(secret.encode(), b"***")
    return body


def kind_by_words(said: str) -> type[GatewayError] | None:
    """What a refusal's words mean, where vendors have no code for it; `said` in lower case. None: nothing special."""
    return next((found for texts, found in _TEXTS if any(text in said for text in texts)), None)


def wait_ms(kind: type[GatewayError], headers: Mapping[str, str], error: Json) -> int | None:
    """The wait that the answer asks for, where waiting helps; `error` is the object that says what went wrong."""
    if not issubclass(kind, _WAITING_HELPS):
        return None
    return retry_after_ms(headers, error, limits=kind is ProviderThrottledError)


def message_of(target: Target, kind: type[GatewayError], status: int, said: str) -> str:
    """What the caller is told: the vendor's words, redacted, unless they are none of the caller's business."""
    name = target.provider.name
    if (safe := _SAFE_TEXTS.get(kind)) is not None:
        return safe.format(name=name)
    if said:
        return f"provider {name}: {redact(said)}"
    return f"provider {name} answered with status {status}" if status else f"provider {name} reported a failure"


def native_of(kind: type[GatewayError], error: Json) -> str:
    """The vendor's error as JSON without secrets; empty if there is none, or more of it than is worth showing."""
    if not error or kind in _SAFE_TEXTS:
        return ""
    try:
        text = orjson.dumps({"error": error}).decode()
    except orjson.JSONEncodeError:
        return ""
    return "" if len(text) > _MAX_NATIVE_CHARS else redact(text, 2 * _MAX_NATIVE_CHARS)


def is_code(value: object) -> bool:
    """Whether it can be a vendor's code, and not a text or a secret."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None and redact(value) == value
