"""A call's place in its W3C trace, and what a surface asks of whoever records its spans."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class TraceIds:
    """Where a span stands in its trace. Fixed when the call comes in, so that everything later can refer to it."""

    trace_id: int
    """128 bits, never 0."""
    span_id: int
    """The span itself, 64 bits, never 0."""
    parent_span_id: int
    """The caller's span; 0: this one begins the trace."""
    sampled: bool
    """Whether spans are recorded."""
    tracestate: str = ""
    """As it came; sent on unchanged."""
    undecided: bool = False
    """Not sampled by chance alone: nobody decided against it, so that it is recorded all the same if it fails or is
    slow."""
    parent_is_local: bool = False
    """Whether the parent is a span of this process."""

    def traceparent(self, span_id: int = 0) -> str:
        """The W3C header that makes `span_id`, or else this span, the parent of what follows."""
        return f"00-{self.trace_id:032x}-{span_id or self.span_id:016x}-{'01' if self.sampled else '00'}"


@dataclass(slots=True, kw_only=True)
class CallSpan:
    """The span of one call that a surface has answered, in the words of OpenTelemetry's conventions."""

    trace: TraceIds
    name: str
    """Such as "POST /v1/chat/completions"; never with anything that callers choose."""
    started_ns: int
    """Unix nanoseconds."""
    duration_ns: int
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    error_type: str = ""
    """The value of error.type. Empty: the call went well, or what went wrong is the caller's fault."""


class CallTracer(Protocol):
    """Records what surfaces answer. A surface has none in a process that exports no spans."""

    def begin(self, traceparent: str, tracestate: str, *, undecided: bool = False) -> TraceIds:
        """The place of a call that comes in with these headers; `undecided` as TraceIds has it, of the caller."""
        ...

    def keeps(self, trace: TraceIds, *, failed: bool, duration_ns: int) -> bool:
        """Whether a call that has ended is recorded, so that its span is worth making."""
        ...

    def record(self, span: CallSpan) -> None:
        """Takes the span of a call that `keeps` has said yes to. Neither blocks nor raises."""
        ...


UNDECIDED: Final = "x-trunkline-trace-undecided"
"""The metadata by which a split bridge tells its core that a trace is not sampled by chance alone."""
