"""What is known of one request when it is over: the source of its ledger entry, spans and counters."""

from dataclasses import dataclass, field

from trunkline.v1 import Cost, Failure, RoutingReport, Usage
from trunkline_server.values.principal import ANONYMOUS, Principal


@dataclass(frozen=True, slots=True)
class TraceIds:
    """Where a request stands in its trace. Fixed at admission, so that everything later can refer to it."""

    trace_id: int
    """128 bits, never 0."""
    span_id: int
    """The request's own span, 64 bits, never 0."""
    parent_span_id: int
    """The caller's span; 0: the request begins the trace."""
    sampled: bool
    """Whether spans are recorded."""
    tracestate: str = ""
    """As it came; sent on unchanged."""

    def traceparent(self, span_id: int) -> str:
        """The W3C header that makes `span_id` the parent of what follows."""
        return f"00-{self.trace_id:032x}-{span_id:016x}-{'01' if self.sampled else '00'}"


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """Grows while a request runs; read by the ledger and telemetry once it is settled. Holds no content or secret.

    Times of day are Unix nanoseconds; everything else stands in `report`, in microseconds since `started_ns`.
    """

    request_id: str
    trace: TraceIds
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
