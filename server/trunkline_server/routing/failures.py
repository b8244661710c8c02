"""The one table of failures: what each reason is a sign of, and what may be done about it. See docs/survival.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from trunkline.errors import GatewayError
from trunkline.v1 import ErrorReason


class FailureClass(Enum):
    """What a failed attempt is a sign of."""

    CREDENTIAL = "credential"
    """The provider refused the key."""
    QUOTA = "quota"
    """What the key may spend is spent."""
    THROTTLED = "throttled"
    """Too many requests for now."""
    TRANSIENT = "transient"
    """The provider failed, could not be reached, or gave an answer that cannot be used."""
    SILENT = "silent"
    """The provider said nothing for too long."""
    WINDOW = "window"
    """The prompt is too large for the model."""
    TARGET = "target"
    """This target cannot do what is asked; another may."""
    REQUEST = "request"
    """The request is wrong wherever it goes."""
    REFUSED = "refused"
    """The provider refused the content."""
    ENDED = "ended"
    """The request is over whatever the targets do: its caller left, its time is up, or the gateway refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What may be done after a failure, and what it says of the target."""

    retry_same: bool = False
    """The same target may be asked again."""
    try_next: bool = False
    """Another target may be asked."""
    counts: bool = False
    """It speaks against the target's health."""
    blocks_key: bool = False
    """The key it was sent with is not used for a while."""


TREATMENTS: Final[Mapping[FailureClass, Treatment]] = {
    FailureClass.CREDENTIAL: Treatment(try_next=True, blocks_key=True),
    FailureClass.QUOTA: Treatment(try_next=True, blocks_key=True),
    FailureClass.THROTTLED: Treatment(retry_same=True, try_next=True),
    FailureClass.TRANSIENT: Treatment(retry_same=True, try_next=True, counts=True),
    # Asking a silent target again would double the silence.
    FailureClass.SILENT: Treatment(try_next=True, counts=True),
    # Only where the window is known to be larger; see Course.
    FailureClass.WINDOW: Treatment(try_next=True),
    FailureClass.TARGET: Treatment(try_next=True),
    FailureClass.REQUEST: Treatment(),
    # Content that one provider refuses is not taken to another, unless the route says so.
    FailureClass.REFUSED: Treatment(),
    FailureClass.ENDED: Treatment(),
}
"""What happens on each class."""

CLASSES: Final[Mapping["ErrorReason.ValueType", FailureClass]] = {
    ErrorReason.ERROR_REASON_PROVIDER_CREDENTIALS: FailureClass.CREDENTIAL,
    ErrorReason.ERROR_REASON_PROVIDER_QUOTA_SPENT: FailureClass.QUOTA,
    ErrorReason.ERROR_REASON_PROVIDER_THROTTLED: FailureClass.THROTTLED,
    ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE: FailureClass.TRANSIENT,
    ErrorReason.ERROR_REASON_PROVIDER_BAD_ANSWER: FailureClass.TRANSIENT,
    ErrorReason.ERROR_REASON_MALFORMED_TOOL_CALL: FailureClass.TRANSIENT,
    ErrorReason.ERROR_REASON_PROVIDER_SILENT: FailureClass.SILENT,
    ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED: FailureClass.WINDOW,
    ErrorReason.ERROR_REASON_UNSUPPORTED_BY_MODEL: FailureClass.TARGET,
    ErrorReason.ERROR_REASON_LOSSY_TRANSLATION: FailureClass.TARGET,
    ErrorReason.ERROR_REASON_REJECTED_BY_PROVIDER: FailureClass.REQUEST,
    ErrorReason.ERROR_REASON_INVALID_REQUEST: FailureClass.REQUEST,
    ErrorReason.ERROR_REASON_REQUEST_TOO_LARGE: FailureClass.REQUEST,
    ErrorReason.ERROR_REASON_CONTENT_FILTER: FailureClass.REFUSED,
    ErrorReason.ERROR_REASON_GUARDRAIL: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_NOT_FOUND: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_IDEMPOTENCY_CONFLICT: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_CACHE_MISS: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_BAD_KEY: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_NOT_ALLOWED: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_RATE_LIMITED: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_BUDGET_SPENT: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_OVERLOADED: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_SHUTTING_DOWN: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_DEADLINE: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_CANCELLED: FailureClass.ENDED,
    ErrorReason.ERROR_REASON_INTERNAL: FailureClass.ENDED,
}
"""The class of each reason. A reason that is not here ends the request."""

# By the provider's status, where the reason alone would mislead: it does not have the model that the operator
# configured, or cannot take so much at once, and the caller's request may be fine elsewhere; or it is elsewhere itself,
# whatever is tried.
STATUS_CLASSES: Final[Mapping[tuple[FailureClass, int], FailureClass]] = {
    (FailureClass.REQUEST, 404): FailureClass.TARGET,
    (FailureClass.REQUEST, 413): FailureClass.WINDOW,
    **{(FailureClass.TRANSIENT, status): FailureClass.TARGET for status in (300, 301, 302, 303, 307, 308)},
}


# The same by the provider's code: OpenAI answers 404 on one of its APIs, and 400 on another, for a model it has not.
CODE_CLASSES: Final[Mapping[tuple[FailureClass, str], FailureClass]] = {
    (FailureClass.REQUEST, "model_not_found"): FailureClass.TARGET,
}


def classify(error: GatewayError) -> FailureClass:
    """What this failure of an attempt is a sign of."""
    found = CLASSES.get(error.reason, FailureClass.ENDED)
    found = CODE_CLASSES.get((found, error.provider_code), found)
    return STATUS_CLASSES.get((found, error.provider_status), found)
