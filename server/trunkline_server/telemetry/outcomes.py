"""How the ends of requests and attempts are spelled in spans and access lines."""

import re

import grpc

from trunkline.errors import BY_REASON, GatewayError
from trunkline.v1 import AttemptOutcome, CostSource, ErrorReason, Failure

ANSWERED = "answered"
FAILED = "failed"
CANCELLED = "cancelled"

OUTCOMES = {
    value: name.removeprefix("ATTEMPT_OUTCOME_").lower()
    for name, value in AttemptOutcome.items()
    if value != AttemptOutcome.ATTEMPT_OUTCOME_UNSPECIFIED
} | {AttemptOutcome.ATTEMPT_OUTCOME_UNSPECIFIED: "not_sent"}
"""How an attempt ended."""

FAULTS = frozenset({AttemptOutcome.ATTEMPT_OUTCOME_FAILED, AttemptOutcome.ATTEMPT_OUTCOME_TIMED_OUT})
"""The ends of attempts that are a provider's fault."""

COST_SOURCES = {
    value: name.removeprefix("COST_SOURCE_").lower()
    for name, value in CostSource.items()
    if value != CostSource.COST_SOURCE_UNSPECIFIED
} | {CostSource.COST_SOURCE_UNSPECIFIED: "unknown"}
"""Where the figure of a cost comes from."""

_STATUSES = {code.value[0]: code.name for code in grpc.StatusCode}
_REASONS = {
    value: name.removeprefix("ERROR_REASON_").lower()
    for name, value in ErrorReason.items()
    if value != ErrorReason.ERROR_REASON_UNSPECIFIED
}

MAX_TEXT_CHARS = 256
"""The longest name of a model in the configuration; what others choose is cut to the same."""

# A provider chooses these, so only what looks like a code is taken for one: anything else might be text.
_PROVIDER_CODE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


def outcome(failure: Failure | None) -> str:
    """How a request ended. A caller that left is no failure: nothing was at fault."""
    if failure is None:
        return ANSWERED
    return CANCELLED if failure.reason == ErrorReason.ERROR_REASON_CANCELLED else FAILED


def status_name(failure: Failure | None) -> str:
    """The gRPC status a request ended with, such as "UNAVAILABLE"; "OK" without a failure."""
    if failure is None:
        return grpc.StatusCode.OK.name
    return _STATUSES.get(failure.code, grpc.StatusCode.UNKNOWN.name)


def reason_name(failure: Failure) -> str:
    """What failed, such as "provider_silent"; the status in lower case where the reason is not told."""
    return _REASONS.get(failure.reason) or status_name(failure).lower()


def error_name(failure: Failure) -> str:
    """The name of the exception that stands for the failure, such as "ProviderSilentError"."""
    return BY_REASON.get(failure.reason, GatewayError).__name__


def provider_code(failure: Failure) -> str:
    """The provider's own code; empty if it gave none or what it gave may be more than a code."""
    code = failure.provider_code
    return code if code and _PROVIDER_CODE.fullmatch(code) else ""


def bounded(text: str) -> str:
    """What a caller or a provider chose, short enough to be kept, such as the name of a model there is not."""
    return text if len(text) <= MAX_TEXT_CHARS else text[:MAX_TEXT_CHARS]
