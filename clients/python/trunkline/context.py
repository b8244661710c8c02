"""What a call carries besides its message."""

import random
import re
import time
from dataclasses import dataclass, replace
from typing import Self

from trunkline.secret import NO_SECRET, Secret
from trunkline.trace import TraceIds
from trunkline.v1 import Priority

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def new_request_id() -> str:
    """An id for a request whose caller gave none."""
    # Drawn to be unlike any other, not to be a secret: knowing an id opens nothing.
    return f"req_{random.getrandbits(96):024x}"


def is_request_id(text: str) -> bool:
    """Whether a caller's own id may stand in logs and headers as it is."""
    return _REQUEST_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """Who calls, until when, and as part of which trace.

    A surface makes one for each call and hands it to the Gateway; `trunkline.metadata` maps it to and from gRPC
    metadata. What the message itself sets (strict, priority, idempotency key) wins over what stands here.
    """

    request_id: str = ""
    """The id the caller chose for logs and support. Empty: the gateway makes one."""
    credential: Secret = NO_SECRET
    """The caller's key as it came, not yet checked. Only the engine checks it."""
    deadline: float | None = None
    """When the caller stops waiting, on the `time.monotonic` clock. None: the gateway's default."""
    traceparent: str = ""
    """W3C trace context as it came; see https://www.w3.org/TR/trace-context/. Empty: none."""
    tracestate: str = ""
    """W3C trace state as it came. Empty: none."""
    baggage: str = ""
    """W3C baggage as it came. Empty: none."""
    trace: TraceIds | None = None
    """The span of the surface that took the call; None: it has none, and `traceparent` says all there is."""
    link: TraceIds | None = None
    """A span that the request's own is to be linked to, such as that of its session."""
    debug: bool = False
    """Whether the gateway is to log what it does for this call; it needs a key that may ask for that."""
    idempotency_key: str = ""
    """Makes retries safe; see CompleteRequest.idempotency_key."""
    strict: bool | None = None
    """Whether a lossy translation is refused; see Routing.strict. None: as the route says."""
    priority: "Priority.ValueType" = Priority.PRIORITY_UNSPECIFIED
    """Place in queues; see Routing.priority."""
    client_address: str = ""
    """Where the caller is, for the ledger; never used to decide anything."""
    size_bytes: int = 0
    """How many bytes the surface read for this call, for the limit on bytes in flight. 0: not counted."""

    def remaining_s(self) -> float | None:
        """Seconds until the deadline, negative once it has passed. None: there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def with_timeout(self, timeout_s: float | None) -> Self:
        """The same with a deadline this far from now, unless the present one is earlier."""
        if timeout_s is None:
            return self
        deadline = time.monotonic() + timeout_s
        if self.deadline is not None and self.deadline <= deadline:
            return self
        return replace(self, deadline=deadline)
