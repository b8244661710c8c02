"""The one table that says what a failure means for the rest of a request."""

from enum import Enum

from trunkline.errors import GatewayError
from trunkline.v1 import ErrorReason


class Outlook(Enum):
    """What may be done after an attempt failed before anything was given to the caller."""

    NEXT = "next"
    """Another target may well answer."""
    STOP = "stop"
    """The caller must hear of it: no other target can or may help."""


# By reason; what is not listed stops. Design: credentials, quota, throttling and faults of one provider are no
# concern of the caller while another can answer; a request that is wrong is wrong everywhere; refused content and a
# caller who has left or whose time is over must never be taken elsewhere.
OUTLOOKS = {
    ErrorReason.ERROR_REASON_PROVIDER_CREDENTIALS: Outlook.NEXT,
    ErrorReason.ERROR_REASON_PROVIDER_QUOTA_SPENT: Outlook.NEXT,
    ErrorReason.ERROR_REASON_PROVIDER_THROTTLED: Outlook.NEXT,
    ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE: Outlook.NEXT,
    ErrorReason.ERROR_REASON_PROVIDER_SILENT: Outlook.NEXT,
    ErrorReason.ERROR_REASON_PROVIDER_BAD_ANSWER: Outlook.NEXT,
    ErrorReason.ERROR_REASON_MALFORMED_TOOL_CALL: Outlook.NEXT,
    ErrorReason.ERROR_REASON_UNSUPPORTED_BY_MODEL: Outlook.NEXT,
    ErrorReason.ERROR_REASON_LOSSY_TRANSLATION: Outlook.NEXT,
}

NOT_FOUND = 404


def outlook(error: GatewayError) -> Outlook:
    """What this failure of an attempt allows."""
    if error.provider_status == NOT_FOUND:
        # The provider does not have the model that the operator configured; the caller's request may be fine.
        return Outlook.NEXT
    return OUTLOOKS.get(error.reason, Outlook.STOP)
