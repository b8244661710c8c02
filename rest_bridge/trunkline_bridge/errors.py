"""Failures as OpenAI's clients know them: HTTP status, error object and headers, by one table."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from trunkline.errors import GatewayError, InvalidRequestError
from trunkline.v1 import ErrorReason, FieldViolation, RoutingReport
from trunkline_bridge.report import report_headers, trunkline_object

INVALID = "invalid_request_error"
RATE_LIMIT = "rate_limit_error"
QUOTA = "insufficient_quota"
SERVER = "server_error"
UNAVAILABLE = "service_unavailable_error"

# Beyond this an SDK that tries again does harm: some sleep all the time, others come back at once.
LONGEST_WAIT_MS = 120_000

SERVER_FAULTS = frozenset((500, 502, 503, 504))
CLIENT_FAULTS = frozenset((400, 404, 409, 413, 415, 422))


class ParameterError(InvalidRequestError):
    """A parameter is not as OpenAI's API has it, said in OpenAI's own words and codes."""

    def __init__(self, param: str, message: str, *, code: str) -> None:
        super().__init__(message, violations=[FieldViolation(field=param, description=message)])
        self.param = param
        self.openai_code = code


class SurfaceError(Exception):
    """Refused for a reason that only HTTP has, such as an unknown URL."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.answer = ErrorAnswer(status, message, INVALID, None, code, dict(headers or {}))


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """A failure ready to be sent."""

    status: int
    message: str
    type: str
    param: str | None
    code: str | None
    headers: Mapping[str, str]
    report: RoutingReport | None = None
    """What the gateway did before it failed."""

    def body(self, request_id: str) -> bytes:
        """The JSON of it."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        found: dict[str, Any] = {"error": error}
        if self.report is not None:
            found["trunkline"] = trunkline_object(request_id, self.report)
        return orjson.dumps(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one reason is told."""

    status: int
    type: str = INVALID
    code: str | None = None
    """None: the provider's own code, if it gave one."""
    param: str | None = None
    """Named where the failure itself names no field."""
    keeps: frozenset[int] = frozenset()
    """Statuses of the provider that the client gets as they are."""
    waiting: int | None = None
    """Told where the provider was not even asked, because it is known to be unwell. None: `status`."""
    text: str = ""
    """Said instead of the failure's own message."""
    retry: bool = True
    """False: the SDK must not try again, though it would by the status."""
    comes_back: bool = False
    """True: the caller is told when to come back even if the failure does not say."""
    headers: Mapping[str, str] = field(default_factory=dict)


# After https://platform.openai.com/docs/guides/error-codes and what OpenAI's API was seen to answer.
ROWS: Mapping[int, Row] = {
    ErrorReason.ERROR_REASON_INVALID_REQUEST: Row(status=400),
    ErrorReason.ERROR_REASON_UNSUPPORTED_BY_MODEL: Row(status=400, code="unsupported_parameter"),
    ErrorReason.ERROR_REASON_LOSSY_TRANSLATION: Row(status=400, code="lossy_translation"),
    ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED: Row(status=400, code="context_length_exceeded", param="messages"),
    ErrorReason.ERROR_REASON_REJECTED_BY_PROVIDER: Row(status=400, keeps=CLIENT_FAULTS, retry=False),
    ErrorReason.ERROR_REASON_REQUEST_TOO_LARGE: Row(status=413, code="request_too_large"),
    ErrorReason.ERROR_REASON_NOT_FOUND: Row(status=404, code="model_not_found", param="model"),
    ErrorReason.ERROR_REASON_IDEMPOTENCY_CONFLICT: Row(status=409, code="idempotency_conflict", retry=False),
    ErrorReason.ERROR_REASON_CACHE_MISS: Row(status=404, code="cache_miss"),
    ErrorReason.ERROR_REASON_BAD_KEY: Row(status=401, code="invalid_api_key", headers={"www-authenticate": "Bearer"}),
    ErrorReason.ERROR_REASON_NOT_ALLOWED: Row(status=403, code="permission_denied"),
    ErrorReason.ERROR_REASON_GUARDRAIL: Row(status=400, code="guardrail"),
    ErrorReason.ERROR_REASON_CONTENT_FILTER: Row(status=400, code="content_filter"),
    ErrorReason.ERROR_REASON_RATE_LIMITED: Row(status=429, type=RATE_LIMIT, code="rate_limit_exceeded"),
    ErrorReason.ERROR_REASON_BUDGET_SPENT: Row(status=429, type=QUOTA, code=QUOTA, retry=False),
    ErrorReason.ERROR_REASON_PROVIDER_THROTTLED: Row(status=429, type=RATE_LIMIT, code="rate_limit_exceeded"),
    ErrorReason.ERROR_REASON_PROVIDER_QUOTA_SPENT: Row(status=429, type=QUOTA, code=QUOTA, retry=False),
    ErrorReason.ERROR_REASON_OVERLOADED: Row(
        status=503, type=UNAVAILABLE, code="server_is_overloaded", comes_back=True
    ),
    ErrorReason.ERROR_REASON_SHUTTING_DOWN: Row(
        # Another connection may lead to another replica.
        status=503,
        type=UNAVAILABLE,
        code="shutting_down",
        comes_back=True,
        headers={"connection": "close"},
    ),
    ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE: Row(
        status=502, type=SERVER, code="provider_unavailable", keeps=SERVER_FAULTS, waiting=503
    ),
    ErrorReason.ERROR_REASON_PROVIDER_SILENT: Row(status=504, type=SERVER, code="provider_silent"),
    ErrorReason.ERROR_REASON_PROVIDER_CREDENTIALS: Row(
        status=502,
        type=SERVER,
        code="provider_credentials",
        text="The gateway could not authenticate with the model's provider; its operator must act.",
        retry=False,
    ),
    ErrorReason.ERROR_REASON_PROVIDER_BAD_ANSWER: Row(status=502, type=SERVER, code="provider_bad_answer"),
    ErrorReason.ERROR_REASON_MALFORMED_TOOL_CALL: Row(status=502, type=SERVER, code="malformed_tool_call"),
    ErrorReason.ERROR_REASON_DEADLINE: Row(status=504, type=SERVER, code="deadline_exceeded", retry=False),
    ErrorReason.ERROR_REASON_CANCELLED: Row(status=499, code="cancelled", retry=False),
    ErrorReason.ERROR_REASON_INTERNAL: Row(
        status=500,
        type=SERVER,
        code="internal_error",
        text="The gateway failed. If you report this, quote the x-request-id of this answer.",
    ),
}

# What a reason newer than this bridge, or a status that gRPC itself made, is told as: by google.rpc.Code.
BY_CODE: Mapping[int, Row] = {
    1: ROWS[ErrorReason.ERROR_REASON_CANCELLED],
    3: ROWS[ErrorReason.ERROR_REASON_INVALID_REQUEST],
    4: ROWS[ErrorReason.ERROR_REASON_DEADLINE],
    5: Row(status=404, code="not_found"),
    6: Row(status=409, code="conflict", retry=False),
    7: ROWS[ErrorReason.ERROR_REASON_NOT_ALLOWED],
    8: ROWS[ErrorReason.ERROR_REASON_OVERLOADED],
    9: Row(status=400, code="failed_precondition"),
    14: Row(status=503, type=UNAVAILABLE, code="gateway_unreachable", comes_back=True),
    16: ROWS[ErrorReason.ERROR_REASON_BAD_KEY],
}
DEFECT = ROWS[ErrorReason.ERROR_REASON_INTERNAL]

# A provider's own "overloaded" status that HTTP does not know: https://docs.anthropic.com/en/api/errors.
FOREIGN_STATUSES = {529: 503}

# The contract's fields that OpenAI calls otherwise. The longest prefix that fits is replaced.
PARAMS = {
    "max_output_tokens": "max_completion_tokens",
    "choice_count": "n",
    "end_user": "safety_identifier",
    "reasoning.effort": "reasoning_effort",
    "reasoning": "reasoning_effort",
    "response_format.kind": "response_format.type",
    "response_format.schema": "response_format.json_schema.schema",
    "response_format.name": "response_format.json_schema.name",
    "response_format.strict": "response_format.json_schema.strict",
    "output_modalities": "modalities",
    "audio_output": "audio",
    "prompt_cache.key": "prompt_cache_key",
    "prompt_cache": "prompt_cache_options",
    "routing": "trunkline",
    "idempotency_key": "Idempotency-Key",
    "extensions[openai_chat]": "",
}
_PREFIXES = sorted(PARAMS, key=len, reverse=True)
_MEMBER_PATHS = (
    (re.compile(r"^(messages\[\d+\])\.parts\[(\d+)\]\.tool_call\b.*"), r"\1.tool_calls"),
    (re.compile(r"^(messages\[\d+\])\.parts\[\d+\]\.tool_result\.call_id$"), r"\1.tool_call_id"),
    (re.compile(r"^(messages\[\d+\])\.parts\[\d+\]\.tool_result\b.*"), r"\1.content"),
    (re.compile(r"^(messages\[\d+\])\.parts\[(\d+)\]\.image\.media\.(url|data)$"), r"\1.content[\2].image_url.url"),
    (re.compile(r"^(messages\[\d+\])\.parts\[(\d+)\]\.file\.media\.(url|data)$"), r"\1.content[\2].file.file_data"),
    (re.compile(r"^(messages\[\d+\])\.parts\[(\d+)\]\.audio\.media\.(url|data)$"), r"\1.content[\2].input_audio.data"),
    (re.compile(r"^(messages\[\d+\])\.parts\b"), r"\1.content"),
    (re.compile(r"^(tools\[\d+\])\.(name|description|parameters|strict)$"), r"\1.function.\2"),
)


def answer(error: GatewayError, *, retry_after_s: float) -> ErrorAnswer:
    """How a failure is told. `retry_after_s` stands in where one that passes does not say when."""
    row = ROWS.get(error.reason) or BY_CODE.get(error.code, DEFECT)
    headers = dict(row.headers)
    if error.report is not None:
        headers.update(report_headers(error.report))
    retry_after_ms = error.retry_after_ms
    if retry_after_ms is None and row.comes_back:
        retry_after_ms = int(retry_after_s * 1000)
    if not row.retry or (retry_after_ms or 0) > LONGEST_WAIT_MS:
        headers["x-should-retry"] = "false"
    if retry_after_ms is not None:
        headers["retry-after"] = str(max(1, math.ceil(retry_after_ms / 1000)))
        headers["retry-after-ms"] = str(retry_after_ms)
    param, message = _at(error, row)
    return ErrorAnswer(
        status=_status(error, row),
        message=row.text or message,
        type=row.type,
        param=param,
        code=error.openai_code if isinstance(error, ParameterError) else row.code or error.provider_code or None,
        headers=headers,
        report=error.report,
    )


def openai_param(field: str) -> str:
    """What OpenAI calls a field of CompleteRequest."""
    for pattern, replacement in _MEMBER_PATHS:
        field, found = pattern.subn(replacement, field)
        if found:
            return field
    for prefix in _PREFIXES:
        rest = field[len(prefix) :]
        if field.startswith(prefix) and rest[:1] in ("", ".", "["):
            return (PARAMS[prefix] + rest).lstrip(".")
    return field


def _status(error: GatewayError, row: Row) -> int:
    if row.waiting is not None and error.retry_after_ms is not None and not error.provider_status:
        return row.waiting
    status = FOREIGN_STATUSES.get(error.provider_status, error.provider_status)
    return status if status in row.keeps else row.status


def _at(error: GatewayError, row: Row) -> tuple[str | None, str]:
    """The parameter at fault and the message, which names it by the same name."""
    if isinstance(error, ParameterError):
        return error.param, error.message
    if error.violations:
        at = error.violations[0].field
        param = openai_param(at)
        if param != at and error.message.startswith(f"{at}: "):
            return param, param + error.message[len(at) :]
        return param, error.message
    return _native_param(error) or row.param, error.message


def _native_param(error: GatewayError) -> str | None:
    """The parameter that a provider with OpenAI's error bodies named."""
    if error.reason != ErrorReason.ERROR_REASON_REJECTED_BY_PROVIDER or not error.native:
        return None
    try:
        body = orjson.loads(error.native)
    except orjson.JSONDecodeError:
        return None
    found = body.get("error", body) if isinstance(body, dict) else None
    param = found.get("param") if isinstance(found, dict) else None
    return param if isinstance(param, str) else None
