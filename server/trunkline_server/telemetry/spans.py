"""The spans of what has ended, built once: of a request from its record, of a surface's call from its own account."""

from collections.abc import Mapping, Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from trunkline import __version__
from trunkline.trace import CallSpan, TraceIds
from trunkline.v1 import Attempt, AttemptOutcome, Failure, Usage
from trunkline_server.telemetry import names, outcomes
from trunkline_server.telemetry.content import content_attributes
from trunkline_server.telemetry.parameters import parameter_attributes
from trunkline_server.telemetry.peers import Peer
from trunkline_server.values.record import RequestRecord

Attribute = str | bool | int | float | Sequence[str]

SCOPE = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)

# Unset means success, and also that the caller left or another attempt was faster: nothing was at fault then, and as
# errors impatient callers would look like an outage. There is no description: a failure's text may quote the prompt.
_UNSET = Status(StatusCode.UNSET)
_ERROR = Status(StatusCode.ERROR)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)

_OPTIONAL_USAGE = {
    "cache_read_tokens": names.USAGE_CACHE_READ_INPUT_TOKENS,
    "cache_write_tokens": names.USAGE_CACHE_WRITE_INPUT_TOKENS,
    "reasoning_tokens": names.USAGE_REASONING_OUTPUT_TOKENS,
}


def spans_of(
    record: RequestRecord, peers: Mapping[str, Peer], resource: Resource, *, content: bool = False
) -> list[ReadableSpan]:
    """The request's span, then one for each attempt: its children, each other's siblings.

    Their ids were fixed while the request ran. `content` says whether what was asked and answered goes with them, as
    far as the record holds it.
    """
    spans = _Spans(record, resource)
    attempts = record.report.attempts
    giver = giver_of(attempts)
    # With each attempt it would come as often as that; nobody could tell the copies from more requests.
    teller = (len(attempts) - 1 if giver is None else giver) if content and record.content is not None else None
    found = [spans.of_request()]
    for index, (attempt, span_id) in enumerate(zip(attempts, record.attempt_span_ids, strict=True)):
        peer = peers.get(attempt.provider) or Peer(attempt.provider)
        attributes = attempt_attributes(record, attempt, peer)
        attributes[names.ATTEMPT] = index + 1
        if index == giver:
            attributes |= response_attributes(record)
        if index == teller and record.content is not None:
            attributes |= content_attributes(record.content, record.finish_reasons)
        found.append(spans.of_attempt(attempt, span_id, peer, attributes))
    return found


def span_of(call: CallSpan, resource: Resource) -> ReadableSpan:
    """The span of a call that a surface has answered."""
    trace = call.trace
    state = _state(trace)
    attributes: dict[str, Attribute] = dict(call.attributes)
    if call.error_type:
        attributes[names.ERROR_TYPE] = call.error_type
    return ReadableSpan(
        name=call.name,
        context=_context(trace, trace.span_id, state),
        parent=_parent(trace, state),
        resource=resource,
        attributes=attributes,
        kind=SpanKind.SERVER,
        status=_ERROR if call.error_type else _UNSET,
        start_time=call.started_ns,
        end_time=call.started_ns + call.duration_ns,
        instrumentation_scope=SCOPE,
    )


class _Spans:
    """Makes the spans of one request, which share a trace and a clock."""

    def __init__(self, record: RequestRecord, resource: Resource) -> None:
        self._record = record
        self._resource = resource
        self._state = _state(record.trace)
        self._own = _context(record.trace, record.trace.span_id, self._state)

    def of_request(self) -> ReadableSpan:
        record, report = self._record, self._record.report
        # The name of a model that was tried is one of the operator's or a provider's; any other could be anything.
        known = record.model and report.attempts
        return ReadableSpan(
            name=f"{names.REQUEST_SPAN} {outcomes.bounded(record.model)}" if known else names.REQUEST_SPAN,
            context=self._own,
            parent=_parent(record.trace, self._state),
            resource=self._resource,
            attributes=_request_attributes(record),
            events=self._request_events(),
            links=() if record.link is None else (Link(_context(record.link, record.link.span_id)),),
            kind=SpanKind.INTERNAL if record.trace.parent_is_local else SpanKind.SERVER,
            status=_ERROR if outcomes.outcome(record.failure) == outcomes.FAILED else _UNSET,
            start_time=record.started_ns,
            end_time=self._at_ns(report.duration_us),
            instrumentation_scope=SCOPE,
        )

    def of_attempt(
        self, attempt: Attempt, span_id: int, peer: Peer, attributes: Mapping[str, Attribute]
    ) -> ReadableSpan:
        failed = attempt.outcome in outcomes.FAULTS
        start_us, end_us = attempt.start_us, attempt.start_us + attempt.duration_us
        return ReadableSpan(
            name=f"{names.CHAT} {outcomes.bounded(attempt.model)}",
            context=_context(self._record.trace, span_id, self._state),
            parent=self._own,
            resource=self._resource,
            attributes=attributes,
            events=self._events(
                first_token_us=start_us + attempt.first_token_us if attempt.HasField("first_token_us") else None,
                failure=attempt.failure if failed and attempt.HasField("failure") else None,
                end_us=end_us,
            ),
            kind=SpanKind.CLIENT if peer.address else SpanKind.INTERNAL,
            status=_ERROR if failed else _UNSET,
            start_time=self._at_ns(start_us),
            end_time=self._at_ns(end_us),
            instrumentation_scope=SCOPE,
        )

    def _at_ns(self, offset_us: int) -> int:
        return self._record.started_ns + offset_us * 1000

    def _events(self, *, first_token_us: int | None, failure: Failure | None, end_us: int) -> list[Event]:
        events = []
        if first_token_us is not None:
            events.append(self._event(names.FIRST_TOKEN_EVENT, first_token_us))
        if failure is not None:
            events.append(
                self._event(names.EXCEPTION_EVENT, end_us, {names.EXCEPTION_TYPE: outcomes.error_name(failure)})
            )
        return events

    def _request_events(self) -> list[Event]:
        record, report = self._record, self._record.report
        outcome = outcomes.outcome(record.failure)
        events = self._events(
            first_token_us=report.first_token_us if report.HasField("first_token_us") else None,
            failure=record.failure if outcome == outcomes.FAILED else None,
            end_us=report.duration_us,
        )
        before: Attempt | None = None
        for number, attempt in enumerate(report.attempts, start=1):
            if before is not None and not attempt.hedge:
                events.append(self._change(before, attempt, number))
            before = attempt
        if outcome == outcomes.CANCELLED:
            events.append(self._event(names.CANCEL_EVENT, report.duration_us))
        events.sort(key=_timestamp)
        return events

    def _change(self, before: Attempt, attempt: Attempt, number: int) -> Event:
        """Why there is another attempt after `before`."""
        attributes: dict[str, Attribute] = {names.ATTEMPT: number, names.TARGET: outcomes.bounded(attempt.target)}
        if before.HasField("failure"):
            attributes[names.ERROR_TYPE] = outcomes.reason_name(before.failure)
        if before.HasField("first_token_us") and self._record.stream:
            name = names.RESUME_EVENT  # the caller has been given a part of the answer
        else:
            name = names.RETRY_EVENT if before.target == attempt.target else names.FALLBACK_EVENT
        if before.target != attempt.target:
            attributes[names.FROM_TARGET] = outcomes.bounded(before.target)
        return self._event(name, attempt.start_us, attributes)

    def _event(self, name: str, offset_us: int, attributes: Mapping[str, Attribute] | None = None) -> Event:
        return Event(name, attributes, timestamp=self._at_ns(offset_us))


def _timestamp(event: Event) -> int:
    return event.timestamp


def _state(trace: TraceIds) -> TraceState:
    return TraceState.from_header([trace.tracestate]) if trace.tracestate else TraceState()


def _context(trace: TraceIds, span_id: int, state: TraceState | None = None, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(trace.trace_id, span_id, is_remote, _SAMPLED, state)


def _parent(trace: TraceIds, state: TraceState) -> SpanContext | None:
    if not trace.parent_span_id:
        return None
    return _context(trace, trace.parent_span_id, state, is_remote=not trace.parent_is_local)


def _request_attributes(record: RequestRecord) -> dict[str, Attribute]:
    # No gen_ai.* here: backends would count the request beside its attempts.
    report = record.report
    found: dict[str, Attribute] = {
        names.REQUEST_ID: record.request_id,
        names.OUTCOME: outcomes.outcome(record.failure),
        names.STATUS: outcomes.status_name(record.failure),
        names.STREAM: record.stream,
        names.ATTEMPTS: len(report.attempts),
        names.OVERHEAD_US: report.overhead_us,
    }
    found |= _known(
        {
            names.MODEL: outcomes.bounded(record.model),
            names.KEY: record.principal.key,
            names.PROJECT: record.principal.project,
            names.TEAM: record.principal.team,
            names.TARGET: outcomes.bounded(report.target),
            names.ROUTE: report.route,
            names.CLIENT_ADDRESS: outcomes.bounded(record.client_address),
            names.QUEUED_US: report.queued_us,
            names.CACHED: report.cached,
            names.JOINED: report.joined,
            names.RESUMED: report.resumed,
        }
    )
    if record.failure is not None:
        if outcomes.outcome(record.failure) == outcomes.FAILED:
            found[names.ERROR_TYPE] = outcomes.reason_name(record.failure)
        found |= _known({names.PROVIDER_CODE: outcomes.provider_code(record.failure)})
    return found


def attempt_attributes(record: RequestRecord, attempt: Attempt, peer: Peer) -> dict[str, Attribute]:
    """What an attempt's span says of it, save for what only the one that answered knows."""
    found: dict[str, Attribute] = {
        names.OPERATION_NAME: names.CHAT,
        names.PROVIDER_NAME: peer.name,
        names.REQUEST_MODEL: outcomes.bounded(attempt.model),
        names.REQUEST_ID: record.request_id,
        names.TARGET: outcomes.bounded(attempt.target),
        names.DIALECT: attempt.dialect,
        names.OUTCOME: outcomes.OUTCOMES[attempt.outcome],
    }
    found |= _known(
        {
            names.REQUEST_STREAM: record.stream,
            names.SERVER_ADDRESS: peer.address,
            names.SERVER_PORT: peer.port,
            names.KEY: record.principal.key,
            names.PROJECT: record.principal.project,
            names.TEAM: record.principal.team,
            names.HTTP_STATUS_CODE: attempt.http_status,
            names.PROVIDER_REQUEST_ID: outcomes.bounded(attempt.provider_request_id),
            names.HEDGE: attempt.hedge,
        }
    )
    if record.asked is not None:
        found |= parameter_attributes(record.asked)
    if record.stream and attempt.HasField("first_token_us"):
        found[names.TIME_TO_FIRST_CHUNK] = attempt.first_token_us / 1_000_000
    if attempt.HasField("usage"):
        _add_usage(found, attempt.usage)
    if attempt.cost.HasField("nano_usd"):
        found[names.COST_NANO_USD] = attempt.cost.nano_usd
        found[names.COST_SOURCE] = outcomes.COST_SOURCES.get(attempt.cost.source, "unknown")
        if attempt.cost.price_version:
            found[names.PRICE_VERSION] = attempt.cost.price_version
    if attempt.HasField("failure"):
        found |= _known({names.PROVIDER_CODE: outcomes.provider_code(attempt.failure)})
    if attempt.outcome in outcomes.FAULTS:
        told = attempt.HasField("failure")
        found[names.ERROR_TYPE] = outcomes.reason_name(attempt.failure) if told else found[names.OUTCOME]
        if attempt.HasField("first_token_us"):
            found[names.RESPONSE_FINISH_REASONS] = (names.FINISH_REASON_OF_ABORTED_OUTPUT,)
    return found


def response_attributes(record: RequestRecord) -> dict[str, Attribute]:
    """What is known of the answer."""
    return _known(
        {
            names.RESPONSE_MODEL: outcomes.bounded(record.response_model),
            names.RESPONSE_ID: outcomes.bounded(record.response_id),
            names.RESPONSE_FINISH_REASONS: tuple(record.finish_reasons),
        }
    )


def _add_usage(found: dict[str, Attribute], usage: Usage) -> None:
    found[names.USAGE_INPUT_TOKENS] = usage.input_tokens
    found[names.USAGE_OUTPUT_TOKENS] = usage.output_tokens
    for field, name in _OPTIONAL_USAGE.items():
        if usage.HasField(field):  # type: ignore[arg-type]  # wants a literal; the names stand in the table above
            found[name] = getattr(usage, field)
    if usage.estimated:
        found[names.USAGE_ESTIMATED] = True


def _known(values: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Those of `values` that say something; an empty text, a False and a 0 here mean unknown or no."""
    return {name: value for name, value in values.items() if value}


def giver_of(attempts: Sequence[Attempt]) -> int | None:
    """Whose answer the caller got, or as much of it as there was; of a resumed one the last that gave a part."""
    givers = [
        index
        for index, attempt in enumerate(attempts)
        if attempt.outcome == AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED
        or (attempt.HasField("first_token_us") and attempt.outcome != AttemptOutcome.ATTEMPT_OUTCOME_OUTRUN)
    ]
    return givers[-1] if givers else None
