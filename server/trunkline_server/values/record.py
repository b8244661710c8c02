"""What is known of one request when it is over: the source of its ledger entry, spans and counters."""

from dataclasses import dataclass, field

from trunkline.trace import TraceIds
from trunkline.v1 import CompleteRequest, Cost, Failure, RoutingReport, Usage
from trunkline_server.values.content import Content
from trunkline_server.values.principal import ANONYMOUS, Principal


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """Grows while a request runs; read by the ledger and telemetry once it is settled. Holds no secret, and content only in
    `asked` and `content`.

    Times of day are Unix nanoseconds; everything else stands in `report`, in microseconds since `started_ns`.
    """

    request_id: str
    trace: TraceIds
    link: TraceIds | None = None
    """A span that the request's own is linked to, such as that of its session."""
    session_id: str = ""
    """The session that it is part of; empty: none."""
    started_ns: int
    stream: bool
    principal: Principal = ANONYMOUS
    model: str = ""
    """As the client named it; empty while unknown."""
    client_address: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    report: RoutingReport = field(default_factory=RoutingReport)
    attempt_span_ids: list[int] = field(default_factory=list)
    """One for each of `report.attempts`."""
    response_model: str = ""
    """The model that answered, as its provider names it."""
    response_id: str = ""
    """The provider's id of the answer, as in StartedEvent.provider_response_id; empty: it gave none."""
    finish_reasons: list[str] = field(default_factory=list)
    """By choice, in the OpenAI spelling."""
    usage: Usage | None = None
    cost: Cost | None = None
    failure: Failure | None = None
    """Why it failed; None: it did not."""
    asked: CompleteRequest | None = field(default=None, repr=False)
    """What was asked for, of which only parameters such as the temperature may be told; None: it got that far not."""
    content: Content | None = None
    """What was asked and answered; None, as nearly always: the operator does not want it recorded."""
    debug: bool = False
    """Whether the caller wants the log to say what was done, and may want that."""
