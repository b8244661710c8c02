"""One call to one target: the only place where a dialect meets the transport."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from trunkline.errors import (
    CancelledByCallerError,
    DeadlineError,
    GatewayError,
    ProviderBadAnswerError,
    ProviderSilentError,
)
from trunkline.interruptible import Interruptible
from trunkline.v1 import (
    AttemptOutcome,
    CompleteRequest,
    Cost,
    FinishReason,
    NoteAction,
    RequestPhase,
    StreamCompleteResponse,
    TranslationNote,
    Usage,
)
from trunkline_server.dialects.dialect import Dialect, Ending, MalformedFrameError, NeedsBytesError
from trunkline_server.engine.costs import cost_of
from trunkline_server.engine.output_limit import within_limit
from trunkline_server.engine.run import Run
from trunkline_server.routing.step import Go
from trunkline_server.telemetry.instruments import Bins
from trunkline_server.transport.exchange import Exchange, Transport
from trunkline_server.transport.sse import SseParser
from trunkline_server.values.wire import WireRequest

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
ERROR_BODY_S = 2.0
"""How long the rest of an error answer is waited for."""
MAX_NOTES = 100
"""A provider that sends nothing but nonsense must not fill the report."""

# A stream whose choices have all finished may still bring usage; a provider that then neither says anything nor ends
# the stream is not waited for longer than this.
AFTER_FINISH_S = 1.0
# How long a connection whose answer is complete may take to end, so that it can be used again.
LINGER_S = 1.0
NS_PER_S = 1_000_000_000

FIRST_TOKEN_LIMIT = "the first-token limit"  # noqa: S105 a token of a model
ITS_SHARE = "its share of the time for the request"
IDLE_LIMIT = "the idle limit"

_STREAM_STARTS = (b"data:", b"event:", b":", b"id:", b"retry:")
# Events that are no content: while there are no others, nothing is given to the caller.
_SILENT_KINDS = frozenset(("started", "usage"))


class Attempt:
    """Sends the request to its target and gives the answer in batches of events.

    Use as a context manager: leaving it closes the provider's connection and completes the attempt's report, however
    it ended. A batch is given only once there is content in it, so an attempt that fails before has given nothing,
    and another target may be tried.
    """

    def __init__(
        self,
        run: Run,
        request: CompleteRequest,
        go: Go,
        *,
        dialect: Dialect,
        transport: Transport,
        idle_s: float,
        span_id: int,
        chunks: Sequence[Bins] = (),
        may_pause: bool = False,
    ) -> None:
        """`chunks` take the seconds that each batch of content takes, after the first one. `may_pause`: an answer that
        pauses is gone on with."""
        self.paused = False
        """Whether the answer is over for now only."""
        self.over = False
        """Whether the last batch, the one with `finished`, has been given."""
        self.begun = False
        """Whether a batch with content has been given."""
        self._run = run
        self._request = request
        self._target = target = go.target
        self._key_index = go.key_index
        self._limit_at = go.limit_at
        self._dialect = dialect
        self._transport = transport
        self._idle_s = idle_s
        self._chunks = chunks
        self._untimed = False
        """Whether content was given that `chunks` do not know of yet."""
        self._given_at = 0.0
        """When more was asked for after content had been given, on the loop's clock; 0: never."""
        self._may_pause = may_pause
        self._span_id = span_id
        self._loop = run.watch.loop
        self._report = run.begin_attempt(target, span_id)
        self._decoder = dialect.decoder(target)
        self._exchange: Exchange | None = None
        self._parser: SseParser | None = None
        self._first_piece = b""
        self._limit_text = FIRST_TOKEN_LIMIT
        self._ending: Ending | None = None
        self._failure: GatewayError | None = None
        self._reads = run.estimator.reads
        self._given: list[StreamCompleteResponse] = []
        """What has been given, if its tokens may have to be counted by what it says."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run.watch.detach()
        if not self.over:
            self._report.duration_us = self._run.elapsed_us() - self._report.start_us
            self._report.outcome = self._outcome(exc)
            self._account()
        if self._exchange is not None:
            self._exchange.close(linger_s=LINGER_S if self.over else 0)

    def _outcome(self, exc: BaseException | None) -> "AttemptOutcome.ValueType":
        # Cancelled, or the generator was closed, which is the same, or the caller said so.
        if not isinstance(exc, GatewayError) or isinstance(exc, CancelledByCallerError):
            return AttemptOutcome.ATTEMPT_OUTCOME_CANCELLED
        exc.target = exc.target or self._target.name
        self._report.failure.CopyFrom(exc.to_failure())
        if isinstance(exc, (ProviderSilentError, DeadlineError)):
            return AttemptOutcome.ATTEMPT_OUTCOME_TIMED_OUT
        return AttemptOutcome.ATTEMPT_OUTCOME_FAILED

    async def open(self, *, stream: bool, notes: Sequence[TranslationNote] = ()) -> None:
        """Sends the request and waits for the answer to begin. Raises what the provider's failure means.

        `notes` tell what was changed of the request before it came here.
        """
        self._limit_text = FIRST_TOKEN_LIMIT if stream else ITS_SHARE
        self._request, capped = within_limit(self._request, self._target)
        if capped is not None:
            self._report.notes.append(capped)
        try:
            wire = self._dialect.encode(self._request, self._target, stream=stream)
        except NeedsBytesError as error:
            wire = await self._with_bytes(error, stream=stream)
        if notes:
            self._report.notes.extend(notes)
        if wire.notes:
            self._report.notes.extend(wire.notes)
        self._exchange = exchange = await self._send(wire)
        self._report.http_status = exchange.status
        self._report.provider_request_id = self._target.provider.kind.request_id(exchange.headers)
        if exchange.resent:
            self._report.notes.add(
                field="connection",
                action=NoteAction.NOTE_ACTION_REWRITTEN,
                reason="sent again, because the connection was dead that it went out on first",
            )
        self._run.watch.attach(exchange.fail)
        if exchange.status // 100 != 2:
            await self._raise_refusal(exchange)
        self._run.watch.waiting(self._limit_at, self._limit_text)
        self._run.phase = RequestPhase.REQUEST_PHASE_FIRST_TOKEN
        self._first_piece = await self._read(exchange)
        self._run.watch.arrived()
        if _is_stream(exchange.headers, self._first_piece):
            self._parser = SseParser()

    async def next_batch(self) -> StreamCompleteResponse:
        """The next events of the answer, not yet numbered; call it after `open`, until `over`."""
        exchange, parser = self._exchange, self._parser
        if exchange is None:
            raise RuntimeError("next_batch was called before open")
        if self._failure is not None:
            raise self._failure
        if parser is None:
            return await self._whole(exchange)
        decoder = self._decoder
        batch = StreamCompleteResponse()
        events = batch.events
        while True:
            chunk = await self._next_chunk(exchange)
            count = len(events)
            try:
                for frame in parser.feed(chunk) if chunk else parser.close():
                    try:
                        decoder.feed(frame, events)
                    except MalformedFrameError as error:
                        self._skip(error)
                count = len(events)
                if not chunk or decoder.done:
                    return self._finished(batch)
            except GatewayError as error:
                # What came before the failure belongs to the caller, unless nothing has been given to it: then the
                # next target starts afresh.
                if not self.begun or not count:
                    raise
                self._failure = error
                del events[count:]
                return batch
            if count and (self.begun or self._begin(batch)):
                self._untimed = True
                if self._reads:
                    self._given.append(batch)
                return batch

    async def _with_bytes(self, refusal: NeedsBytesError, *, stream: bool) -> WireRequest:
        """The request for a target that does not fetch what is given by address: the gateway does, if it may."""
        run = self._run
        if run.inlining is None or run.strict:
            raise refusal
        try:
            with Interruptible() as fetching:
                run.watch.attach(fetching.interrupt)
                request, notes = await run.inlining.of(self._request)
        finally:
            run.watch.detach()
        self._report.notes.extend(notes)
        return self._dialect.encode(request, self._target, stream=stream)

    async def _send(self, wire: WireRequest) -> Exchange:
        run = self._run
        began = time.monotonic_ns()
        exchange: Exchange | None = None
        try:
            with Interruptible() as sending:
                run.watch.attach(sending.interrupt)
                run.watch.waiting(self._limit_at, self._limit_text)
                exchange = await self._transport.open(
                    self._target.provider, wire, self._call_headers(), key_index=self._key_index
                )
                return exchange
        finally:
            run.watch.detach()
            run.provider_wait_ns += time.monotonic_ns() - began if exchange is None else exchange.waited_ns

    def _call_headers(self) -> Mapping[str, str]:
        provider = self._target.provider
        headers: dict[str, str] = {}
        if provider.send_trace_context:
            trace = self._run.record.trace
            headers["traceparent"] = trace.traceparent(self._span_id)
            if trace.tracestate:
                headers["tracestate"] = trace.tracestate
        if provider.send_baggage and self._run.baggage:
            headers["baggage"] = self._run.baggage
        return headers

    async def _raise_refusal(self, exchange: Exchange) -> None:
        if exchange.status // 100 == 3:
            raise ProviderBadAnswerError(
                f"provider {self._target.provider.name} answered with a redirect, which is not followed; set its "
                "base_url to where it is",
                provider_status=exchange.status,
            )
        body = await self._error_body(exchange)
        raise self._dialect.error(self._target, exchange.status, exchange.headers, body)

    async def _error_body(self, exchange: Exchange) -> bytes:
        """What comes of it soon: where the rest is late or lost, the status still tells what failed."""
        until = min(self._limit_at, self._loop.time() + ERROR_BODY_S)
        pieces, size = [], 0
        try:
            while size < MAX_ERROR_BYTES:
                self._run.watch.waiting(until, IDLE_LIMIT)
                if not (piece := await self._read(exchange)):
                    break
                pieces.append(piece)
                size += len(piece)
        except (ProviderBadAnswerError, ProviderSilentError):
            pass
        finally:
            self._run.watch.arrived()
        return b"".join(pieces)[:MAX_ERROR_BYTES]

    async def _read(self, exchange: Exchange) -> bytes:
        began = time.monotonic_ns()
        try:
            return await exchange.read()
        finally:
            self._run.provider_wait_ns += time.monotonic_ns() - began

    async def _read_on(self, exchange: Exchange) -> bytes:
        """The next piece of a body that has begun, within the idle limit."""
        self._run.watch.waiting(self._loop.time() + self._idle_s, IDLE_LIMIT)
        try:
            return await self._read(exchange)
        finally:
            self._run.watch.arrived()

    async def _whole(self, exchange: Exchange) -> StreamCompleteResponse:
        pieces, size = [self._first_piece], len(self._first_piece)
        while self._first_piece and (piece := await self._read_on(exchange)):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                raise self._bad_answer(f"is larger than {MAX_ANSWER_BYTES} bytes")
        batch = StreamCompleteResponse()
        try:
            self._decoder.whole(b"".join(pieces), batch.events)
        except MalformedFrameError as error:
            raise self._bad_answer(f"cannot be read: {error}") from error
        return self._finished(batch)

    def _skip(self, error: MalformedFrameError) -> None:
        """Passes over an event that cannot be read, with a note; raises ProviderBadAnswerError if that is too lax."""
        if self._run.strict:
            raise self._bad_answer(f"holds an event that cannot be read: {error}") from error
        if len(self._report.notes) < MAX_NOTES:
            self._report.notes.add(
                field="malformed_event_skipped", action=NoteAction.NOTE_ACTION_DROPPED, reason=str(error)
            )

    async def _next_chunk(self, exchange: Exchange) -> bytes:
        """What the provider sends next; empty at the end, or when it holds open a stream that is over."""
        if self._first_piece:
            chunk, self._first_piece = self._first_piece, b""
            return chunk
        run, finished = self._run, self._decoder.finished
        watch = run.watch
        # Once the caller has content this is awaited for each batch, and `now` is all that it looks at a clock for.
        now = self._loop.time() if self.begun or finished else 0.0
        if self._untimed:
            self._time_chunk(now)
        if finished and self._request.choice_count <= 1:
            # With several choices, all that began may have finished before the next begins.
            watch.waiting(now + AFTER_FINISH_S, "the time for usage after the end")
        elif self.begun:
            watch.waiting(now + self._idle_s, IDLE_LIMIT)
        else:
            watch.waiting(self._limit_at, self._limit_text)
        try:
            return await (exchange.read() if run.committed else self._read(exchange))
        except (ProviderSilentError, ProviderBadAnswerError):
            if not finished:
                raise
            return b""
        finally:
            watch.arrived()

    def _time_chunk(self, now: float) -> None:
        """A chunk takes from asking for it to asking for the next one, which is as soon as it has been taken."""
        self._untimed = False
        if self._given_at:
            for bins in self._chunks:
                bins.add(now - self._given_at)
        self._given_at = now

    def _begin(self, batch: StreamCompleteResponse) -> bool:
        """Whether `batch` holds content; if so, it is the first that this attempt gives."""
        if all(event.WhichOneof("kind") in _SILENT_KINDS for event in batch.events):
            return False
        self.begun = True
        self._run.begin_answer(self._report, batch)
        return True

    def _finished(self, batch: StreamCompleteResponse) -> StreamCompleteResponse:
        """`batch` with the end of the answer. Raises ProviderBadAnswerError if the answer was cut off."""
        self._ending = ending = self._decoder.close(batch.events)
        if not ending.complete:
            raise self._bad_answer("broke off before its end" if self._decoder.content_chars else "is empty")
        if not ending.finished.HasField("usage"):
            ending.finished.usage.CopyFrom(self._estimated_usage(batch))
        if not ending.finished.HasField("cost"):
            cost = self._cost(ending.finished.usage, ending.finished.service_tier)
            if cost is not None:
                ending.finished.cost.CopyFrom(cost)
        if not self.begun:
            self.begun = True
            self._run.begin_answer(self._report, batch)
        if self._may_pause and list(ending.finish_reasons) == [FinishReason.FINISH_REASON_PAUSED]:
            del batch.events[-1]  # the end of a choice that has not ended
            self._run.pause(self._report, ending)
            self.paused = True
        else:
            self._run.finish(self._report, ending, batch)
        self.over = True
        return batch

    def _account(self) -> None:
        """What was used although there is no whole answer: as reported if it was, else estimated, if anything came."""
        ending = self._ending or self._decoder.close(StreamCompleteResponse().events)
        finished = ending.finished
        if finished.HasField("usage"):
            usage = finished.usage
        elif self._decoder.content_chars:
            usage = self._estimated_usage()
        else:
            return
        cost = finished.cost if finished.HasField("cost") else self._cost(usage, finished.service_tier)
        self._run.account(self._report, usage, cost)

    def _cost(self, usage: Usage, served_tier: str) -> Cost | None:
        at_s = self._run.record.started_ns / NS_PER_S
        return cost_of(self._target, self._request, self._report, usage, served_tier, at_s)

    def _estimated_usage(self, *last: StreamCompleteResponse) -> Usage:
        """Of what came so far; `last` is what has not been given yet."""
        events = (event for batch in (*self._given, *last) for event in batch.events)
        return self._run.estimator.usage(self._request, self._decoder.content_chars, events)

    def _bad_answer(self, what: str) -> ProviderBadAnswerError:
        return ProviderBadAnswerError(
            f"the answer of provider {self._target.provider.name} {what}", provider_status=self._report.http_status
        )


def _is_stream(headers: Mapping[str, str], first: bytes) -> bool:
    """Whether the answer is an event stream: by its type, or by its look where the type says nothing."""
    content_type = headers.get("content-type", "")
    if "event-stream" in content_type:
        return True
    if "json" in content_type:
        return False
    return first.lstrip().startswith(_STREAM_STARTS)
