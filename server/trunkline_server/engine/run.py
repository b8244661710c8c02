"""One request while it runs: what its record will say, its events' numbers, its timer."""

import time
from collections.abc import Sequence

from trunkline.context import Steering
from trunkline.errors import GatewayError
from trunkline.v1 import (
    Attempt,
    AttemptOutcome,
    Cost,
    FinishedEvent,
    FinishReason,
    RequestPhase,
    StreamCompleteResponse,
    Usage,
)
from trunkline_server.dialects.dialect import Ending
from trunkline_server.engine.estimate import TokenEstimator
from trunkline_server.engine.inlining import Inlining
from trunkline_server.engine.sums import sum_cost, sum_usage
from trunkline_server.engine.watch import Watch
from trunkline_server.providers.target import Target
from trunkline_server.values.record import RequestRecord

# As spans and access lines spell them, which is how OpenAI does.
FINISH_WORDS = {
    FinishReason.FINISH_REASON_STOP: "stop",
    FinishReason.FINISH_REASON_STOP_SEQUENCE: "stop",
    FinishReason.FINISH_REASON_LENGTH: "length",
    FinishReason.FINISH_REASON_CONTEXT_LENGTH: "length",
    FinishReason.FINISH_REASON_TOOL_CALLS: "tool_calls",
    FinishReason.FINISH_REASON_CONTENT_FILTER: "content_filter",
    FinishReason.FINISH_REASON_REFUSAL: "content_filter",
    FinishReason.FINISH_REASON_PAUSED: "pause",
}


BY_LENGTH = TokenEstimator()


class Run:
    """Owned by the engine for one request; attempts write into it. Times are microseconds since arrival."""

    __slots__ = (
        "_arrived_ns",
        "_events",
        "baggage",
        "committed",
        "estimator",
        "given_up",
        "inlining",
        "over",
        "own_us",
        "pauses",
        "phase",
        "provider_wait_ns",
        "queued_s",
        "record",
        "steering",
        "strict",
        "waited_s",
        "watch",
    )

    def __init__(
        self, record: RequestRecord, watch: Watch, baggage: str = "", estimator: TokenEstimator = BY_LENGTH
    ) -> None:
        self.record = record
        self.watch = watch
        self.estimator = estimator
        """Counts tokens that nobody reports."""
        self.baggage = baggage
        """The caller's W3C baggage, for the providers that are to get it."""
        self.inlining: Inlining | None = None
        """Fetches what is given by address, for targets that do not; None: the gateway does not either."""
        self.steering: Steering | None = None
        """Through which the caller changes the request while it runs; None: it does not."""
        self.phase = RequestPhase.REQUEST_PHASE_STARTING
        """What it is doing, for who looks into the gateway while it runs."""
        self.strict = False
        """Whether what cannot be carried or read is an error instead of a note."""
        self.provider_wait_ns = 0
        """Time spent waiting for providers, which is not the gateway's own; no longer counted once `committed`."""
        self.own_us: int | None = None
        """The gateway's own time until a stream's first content: what follows goes at others' pace."""
        self.queued_s = 0.0
        """Time spent waiting for a place at a target."""
        self.waited_s = 0.0
        """Time spent waiting before calls, as providers asked or so that they recover."""
        self.committed = False
        """Whether the caller has been given content, so that no other target may take over unnoticed."""
        self.given_up: list[Attempt] = []
        """Attempts that gave a part of the answer and then broke off, or paused."""
        self.pauses = 0
        """How often the answer has paused, and the same target went on."""
        self.over = False
        """Whether the request has ended, well or not; whoever leaves it then has not cancelled it."""
        self._arrived_ns = time.monotonic_ns()
        self._events = 0

    def elapsed_us(self) -> int:
        """Microseconds since arrival."""
        return (time.monotonic_ns() - self._arrived_ns) // 1000

    def begin_attempt(self, target: Target, span_id: int) -> Attempt:
        """The report of an attempt that begins now, to be filled in place."""
        self.record.attempt_span_ids.append(span_id)
        self.phase = RequestPhase.REQUEST_PHASE_CONNECTING
        return self.record.report.attempts.add(
            target=target.name,
            provider=target.provider.name,
            model=target.model,
            dialect=target.dialect,
            start_us=self.elapsed_us(),
        )

    def begin_answer(self, attempt: Attempt, batch: StreamCompleteResponse) -> None:
        """`batch`, whose first event is `started`, holds the first content of an attempt."""
        report = self.record.report
        now = self.elapsed_us()
        attempt.first_token_us = now - attempt.start_us
        self.phase = RequestPhase.REQUEST_PHASE_STREAMING
        if self.pauses:
            return  # it goes on with an answer that has begun
        report.target = attempt.target
        started = batch.events[0].started
        if not started.model:
            started.model = attempt.model
        self.record.response_model = started.model
        self.record.response_id = started.provider_response_id
        if self.committed:
            report.resumed = True
            return
        # Who waits for the whole answer has been given nothing yet: another target may begin it anew.
        self.committed = self.record.stream
        report.first_token_us = now
        if self.committed:
            self.own_us = self._own_us(now)
        started.id = self.record.request_id
        started.target = attempt.target
        if not started.created_at_ms:
            started.created_at_ms = self.record.started_ns // 1_000_000

    def number(self, batch: StreamCompleteResponse) -> StreamCompleteResponse:
        """`batch` with the number of its first event."""
        batch.first_event = self._events + 1
        self._events += len(batch.events)
        return batch

    def finish(self, attempt: Attempt, ending: Ending, batch: StreamCompleteResponse) -> None:
        """The request ends well: its last event goes into `batch`."""
        record = self.record
        finished = ending.finished
        if finished.HasField("usage"):
            attempt.usage.CopyFrom(finished.usage)
        if finished.HasField("cost"):
            attempt.cost.CopyFrom(finished.cost)
        if self.given_up:
            usages = [*(earlier.usage for earlier in self.given_up), finished.usage]
            finished.usage.CopyFrom(sum_usage(usages))
        if len(record.report.attempts) > 1:
            self._add_costs(finished)
        if finished.HasField("usage"):
            record.usage = finished.usage
        if finished.HasField("cost"):
            record.cost = finished.cost
        record.finish_reasons.extend(finish_words(ending.finish_reasons))
        attempt.outcome = AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED
        attempt.duration_us = self.elapsed_us() - attempt.start_us
        self.close_report()
        event = batch.events.add()
        event.finished.MergeFrom(finished)
        event.finished.report.CopyFrom(record.report)

    def pause(self, attempt: Attempt, ending: Ending) -> None:
        """The attempt gave a part of the answer, and its target is to be asked for the rest."""
        attempt.usage.CopyFrom(ending.finished.usage)
        if ending.finished.HasField("cost"):
            attempt.cost.CopyFrom(ending.finished.cost)
        attempt.outcome = AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED
        attempt.duration_us = self.elapsed_us() - attempt.start_us
        self.given_up.append(attempt)
        self.pauses += 1

    def forget_pauses(self) -> None:
        """What was given before pauses is void: the answer begins anew."""
        if self.pauses:
            self.given_up.clear()
            self.pauses = 0

    def _add_costs(self, finished: FinishedEvent) -> None:
        """Whatever attempts used is paid for, whether it became part of the answer or not."""
        cost = self._whole_cost()
        finished.ClearField("cost")
        if cost is not None:
            finished.cost.CopyFrom(cost)

    def _whole_cost(self) -> Cost | None:
        """Of all attempts that used something; None if it is not known of one of them."""
        used = [attempt for attempt in self.record.report.attempts if attempt.HasField("usage")]
        return sum_cost([attempt.cost for attempt in used])

    def fail(self, error: GatewayError) -> None:
        """The request ends with `error`."""
        self.record.failure = error.to_failure()
        if (trace := self.record.trace).undecided:
            # It is recorded after all, because it fails.
            self.record.report.trace_id = f"{trace.trace_id:032x}"
        self.close_report()
        error.report = self.record.report

    def failed_batch(self) -> StreamCompleteResponse:
        """The last event of a stream that failed."""
        batch = StreamCompleteResponse()
        failed = batch.events.add().failed
        if self.record.failure is not None:
            failed.failure.CopyFrom(self.record.failure)
        failed.report.CopyFrom(self.record.report)
        if self.record.usage is not None:
            failed.usage.CopyFrom(self.record.usage)
        if self.record.cost is not None:
            failed.cost.CopyFrom(self.record.cost)
        return self.number(batch)

    def close_report(self) -> None:
        """Fixes the times of the whole request; what comes after is not counted."""
        report = self.record.report
        report.duration_us = self.elapsed_us()
        report.overhead_us = self._own_us(report.duration_us) if self.own_us is None else self.own_us
        report.queued_us = round(self.queued_s * 1e6)
        self.over = True

    def _own_us(self, passed_us: int) -> int:
        """Of so much time since arrival, what neither providers nor waits took."""
        waited_us = round((self.queued_s + self.waited_s) * 1e6)
        return max(0, passed_us - self.provider_wait_ns // 1000 - waited_us)

    def account(self, attempt: Attempt, usage: Usage, cost: Cost | None) -> None:
        """What an attempt used although it did not answer, and what that cost, if it is known."""
        attempt.usage.CopyFrom(usage)
        if cost is not None:
            attempt.cost.CopyFrom(cost)
        self.record.cost = self._whole_cost()
        given_up = [earlier.usage for earlier in self.given_up]
        self.record.usage = sum_usage([*given_up, usage]) if given_up else usage


def finish_words(reasons: Sequence["FinishReason.ValueType"]) -> list[str]:
    """Finish reasons as records spell them."""
    return [FINISH_WORDS.get(reason, "unknown") for reason in reasons]
