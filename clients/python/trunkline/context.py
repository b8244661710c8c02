"""What a call carries besides its message."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from trunkline.errors import GatewayError
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


class Steering:
    """What may be done to a call in this process while it runs, and what is heard of it meanwhile.

    Who calls makes one for each call; a Gateway that cannot be steered leaves it alone.
    """

    __slots__ = ("_priority", "_stop", "on_ending", "on_priority")

    def __init__(self) -> None:
        self._priority: Priority.ValueType = Priority.PRIORITY_UNSPECIFIED
        self._stop: Callable[[GatewayError], None] | None = None
        self.on_priority: Callable[[Priority.ValueType], None] | None = None
        """Told the new priority; set by whoever keeps the call's place in a queue. None: it is in none."""
        self.on_ending: Callable[[], None] | None = None
        """Told that the call is to end even if nobody asks for more of it, such as when its time is up; set by the
        caller, who should ask for what is left."""

    @property
    def priority(self) -> "Priority.ValueType":
        """Place in queues, before whatever the call or its message says. Unspecified: as these say."""
        return self._priority

    @priority.setter
    def priority(self, priority: "Priority.ValueType") -> None:
        self._priority = priority
        if self.on_priority is not None:
            self.on_priority(priority)

    def attach(self, stop: Callable[[GatewayError], None] | None) -> None:
        """Whoever answers the call says how it is ended; None: it is over."""
        self._stop = stop

    def stop(self, error: GatewayError) -> bool:
        """Ends the call with this error, provider's connection and all; False: nobody has it who can be told so."""
        if self._stop is None:
            return False
        self._stop(error)
        return True


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
    session_id: str = ""
    """The session in this process that the call is part of, for the ledger; it does not travel. Empty: none."""
    steering: Steering | None = None
    """Through which the call may be changed while it runs; it does not travel."""
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
