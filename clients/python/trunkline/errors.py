"""What can go wrong, as exceptions: one class for each ErrorReason of protos/trunkline/v1/error.proto."""

from collections.abc import Sequence
from typing import Self

import grpc

from trunkline.v1 import ErrorReason, Failure, FieldViolation, RoutingReport


class GatewayError(Exception):
    """Base of all failures, and what a reason newer than this client becomes.

    `code` is the number of the gRPC status (google.rpc.Code), `reason` says the same more finely. Two errors are
    the same failure when `to_failure()` is equal.
    """

    code: int = grpc.StatusCode.UNKNOWN.value[0]
    reason: "ErrorReason.ValueType" = ErrorReason.ERROR_REASON_UNSPECIFIED

    def __init__(
        self,
        message: str,
        *,
        retry_after_ms: int | None = None,
        violations: Sequence[FieldViolation] = (),
        provider_code: str = "",
        provider_status: int = 0,
        native: str = "",
        target: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_ms = retry_after_ms
        """When to try again, milliseconds from now. None: trying again is not known to help."""
        self.violations = tuple(violations)
        """The request's fields at fault."""
        self.provider_code = provider_code
        """The provider's own code or type, such as "context_length_exceeded"."""
        self.provider_status = provider_status
        """The provider's HTTP status; 0: none."""
        self.native = native
        """The provider's error body, as far as it may be shown."""
        self.target = target
        """The target that failed, "provider/model"; empty: the gateway itself refused."""
        self.report: RoutingReport | None = None
        """What the gateway did before it failed, where that is known."""
        self.request_id = ""
        """The request's id in the gateway's logs, for support; set by clients. Empty: not known."""

    def to_failure(self) -> Failure:
        """The same as data."""
        failure = Failure(
            code=self.code,
            message=self.message,
            reason=self.reason,
            violations=self.violations,
            provider_code=self.provider_code,
            native=self.native,
            target=self.target,
            provider_status=self.provider_status,
        )
        if self.retry_after_ms is not None:
            failure.retry_after_ms = self.retry_after_ms
        return failure

    @classmethod
    def at_field(cls, field: str, description: str) -> Self:
        """One field is at fault, such as "messages[0].role"."""
        return cls(
            f"{field}: {description}",
            violations=[FieldViolation(field=field, description=description)],
        )


class InvalidRequestError(GatewayError):
    """The request is malformed or breaks a rule of the contract; `violations` name the fields."""

    code = 3
    reason = ErrorReason.ERROR_REASON_INVALID_REQUEST


class UnsupportedByModelError(GatewayError):
    """No target of the model can do what the request needs."""

    code = 3
    reason = ErrorReason.ERROR_REASON_UNSUPPORTED_BY_MODEL


class LossyTranslationError(GatewayError):
    """Strict was asked for and a translation would lose something."""

    code = 3
    reason = ErrorReason.ERROR_REASON_LOSSY_TRANSLATION


class ContextLengthError(GatewayError):
    """The prompt does not fit the model's context window."""

    code = 3
    reason = ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED


class RejectedByProviderError(GatewayError):
    """The provider refused the request as invalid."""

    code = 3
    reason = ErrorReason.ERROR_REASON_REJECTED_BY_PROVIDER


class RequestTooLargeError(GatewayError):
    """The request has more bytes than the gateway takes."""

    code = 8
    reason = ErrorReason.ERROR_REASON_REQUEST_TOO_LARGE


class NotFoundError(GatewayError):
    """There is no model, response or conversation of that name, or the caller may not see it."""

    code = 5
    reason = ErrorReason.ERROR_REASON_NOT_FOUND


class IdempotencyConflictError(GatewayError):
    """The same idempotency key came with another body."""

    code = 6
    reason = ErrorReason.ERROR_REASON_IDEMPOTENCY_CONFLICT


class CacheMissError(GatewayError):
    """Only a cached answer was wanted and there is none."""

    code = 5
    reason = ErrorReason.ERROR_REASON_CACHE_MISS


class BadKeyError(GatewayError):
    """The caller's key is missing, unknown or expired."""

    code = 16
    reason = ErrorReason.ERROR_REASON_BAD_KEY


class NotAllowedError(GatewayError):
    """The caller's key may not do this."""

    code = 7
    reason = ErrorReason.ERROR_REASON_NOT_ALLOWED


class GuardrailError(GatewayError):
    """Content was refused by a guardrail of the gateway."""

    code = 9
    reason = ErrorReason.ERROR_REASON_GUARDRAIL


class ContentFilterError(GatewayError):
    """Content was refused by the provider before it answered."""

    code = 9
    reason = ErrorReason.ERROR_REASON_CONTENT_FILTER


class RateLimitedError(GatewayError):
    """The caller's rate limit is reached."""

    code = 8
    reason = ErrorReason.ERROR_REASON_RATE_LIMITED


class BudgetSpentError(GatewayError):
    """The caller's budget is spent."""

    code = 8
    reason = ErrorReason.ERROR_REASON_BUDGET_SPENT


class ProviderThrottledError(GatewayError):
    """Every fitting target is throttled or cooling down."""

    code = 8
    reason = ErrorReason.ERROR_REASON_PROVIDER_THROTTLED


class ProviderQuotaError(GatewayError):
    """The operator's quota at the provider is spent."""

    code = 8
    reason = ErrorReason.ERROR_REASON_PROVIDER_QUOTA_SPENT


class OverloadedError(GatewayError):
    """The gateway sheds load."""

    code = 8
    reason = ErrorReason.ERROR_REASON_OVERLOADED


class ShuttingDownError(GatewayError):
    """This gateway process is going away; another one may answer."""

    code = 14
    reason = ErrorReason.ERROR_REASON_SHUTTING_DOWN


class ProviderUnavailableError(GatewayError):
    """The provider failed or could not be reached."""

    code = 14
    reason = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE


class ProviderSilentError(GatewayError):
    """The provider was silent for too long."""

    code = 14
    reason = ErrorReason.ERROR_REASON_PROVIDER_SILENT


class ProviderCredentialsError(GatewayError):
    """The provider refused the gateway's credentials; the operator must act."""

    code = 14
    reason = ErrorReason.ERROR_REASON_PROVIDER_CREDENTIALS


class ProviderBadAnswerError(GatewayError):
    """The provider's answer could not be read or was cut off."""

    code = 14
    reason = ErrorReason.ERROR_REASON_PROVIDER_BAD_ANSWER


class MalformedToolCallError(GatewayError):
    """The model wrote a tool call that its provider could not read."""

    code = 14
    reason = ErrorReason.ERROR_REASON_MALFORMED_TOOL_CALL


class DeadlineError(GatewayError):
    """The request's deadline passed."""

    code = 4
    reason = ErrorReason.ERROR_REASON_DEADLINE


class CancelledByCallerError(GatewayError):
    """The caller cancelled."""

    code = 1
    reason = ErrorReason.ERROR_REASON_CANCELLED


class InternalError(GatewayError):
    """A defect of the gateway."""

    code = 13
    reason = ErrorReason.ERROR_REASON_INTERNAL


class GatewayUnreachableError(GatewayError):
    """The client got no answer from the gateway itself; never sent by a gateway."""

    code = 14
    reason = ErrorReason.ERROR_REASON_UNSPECIFIED


def _by_reason() -> dict[int, type[GatewayError]]:
    classes = GatewayError.__subclasses__()
    return {cls.reason: cls for cls in classes if cls is not GatewayUnreachableError}


BY_REASON: dict[int, type[GatewayError]] = _by_reason()


def from_failure(failure: Failure) -> GatewayError:
    """The exception for a failure that came as data."""
    error = BY_REASON.get(failure.reason, GatewayError)(
        failure.message,
        retry_after_ms=failure.retry_after_ms if failure.HasField("retry_after_ms") else None,
        violations=failure.violations,
        provider_code=failure.provider_code,
        provider_status=failure.provider_status,
        native=failure.native,
        target=failure.target,
    )
    # A reason newer than this client keeps the status it came with.
    error.code = failure.code
    error.reason = failure.reason
    return error
