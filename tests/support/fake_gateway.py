"""A Gateway that says what a test scripted and remembers what it was asked, and the events to script it with."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from google.protobuf.message import Message as Protobuf

from trunkline.answer import AnswerBuilder
from trunkline.context import CallContext
from trunkline.errors import BadKeyError, GatewayError, NotFoundError
from trunkline.v1 import (
    Attempt,
    AttemptOutcome,
    CompleteRequest,
    CompleteResponse,
    CountTokensRequest,
    CountTokensResponse,
    Event,
    FinishReason,
    GetMetricsRequest,
    GetMetricsResponse,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    ListRunningRequestsRequest,
    ListRunningRequestsResponse,
    ListTargetsRequest,
    ListTargetsResponse,
    Model,
    Part,
    RoutingReport,
    RunningRequest,
    StreamCompleteResponse,
    TargetState,
    Usage,
)

Step = StreamCompleteResponse | Exception | asyncio.Event
"""What an answer does next: gives a batch, fails, or waits."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it arrived."""

    method: str
    request: Protobuf
    context: CallContext


@dataclass
class FakeGateway:
    """Implements `trunkline.gateway.Gateway`. A whole answer is the fold of the script, as in the engine."""

    script: Sequence[Step] = ()
    turns: Sequence[Sequence[Step]] = ()
    """The script of the first completion, of the second, and so on; `script` is that of any beyond."""
    models: Sequence[Model] = ()
    targets: Sequence[TargetState] = ()
    running: Sequence[RunningRequest] = ()
    page_size: int = 1000
    key: str = ""
    """The one key it takes; empty: any, or none."""
    is_ready: bool = True
    calls: list[Call] = field(default_factory=list)
    arrivals: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released by each call, so that a test can wait for a number of them."""
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    """A completion has begun."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """A completion has ended, whatever way."""
    cancelled: bool = False
    """Whether a completion ended because its caller left."""

    @property
    def context(self) -> CallContext:
        """Of the last call."""
        return self.calls[-1].context

    @property
    def asked(self) -> CompleteRequest:
        """The last call's request, which was a completion."""
        request = self.calls[-1].request
        assert isinstance(request, CompleteRequest)
        return request

    async def complete(self, request: CompleteRequest, context: CallContext) -> CompleteResponse:
        self._enter("complete", request, context)
        answer = AnswerBuilder()
        async with aclosing(self._play(self._script())) as batches:
            async for found in batches:
                answer.add(found)
        return answer.response()

    async def stream(
        self, request: CompleteRequest, context: CallContext
    ) -> AsyncGenerator[StreamCompleteResponse, None]:
        self._enter("stream", request, context)
        async with aclosing(self._play(self._script())) as batches:
            async for found in batches:
                yield found

    async def count_tokens(self, request: CountTokensRequest, context: CallContext) -> CountTokensResponse:
        self._enter("count_tokens", request, context)
        return CountTokensResponse(input_tokens=1, estimated=True)

    async def list_models(self, request: ListModelsRequest, context: CallContext) -> ListModelsResponse:
        self._enter("list_models", request, context)
        start = int(request.page_token or 0)
        end = start + self.page_size
        more = end < len(self.models)
        return ListModelsResponse(models=self.models[start:end], next_page_token=str(end) if more else "")

    async def get_model(self, request: GetModelRequest, context: CallContext) -> GetModelResponse:
        self._enter("get_model", request, context)
        for model in self.models:
            if model.id == request.id:
                return GetModelResponse(model=model)
        raise NotFoundError(f"there is no model {request.id!r}")

    async def list_targets(self, request: ListTargetsRequest, context: CallContext) -> ListTargetsResponse:
        self._enter("list_targets", request, context)
        return ListTargetsResponse(targets=self.targets)

    async def list_running_requests(
        self, request: ListRunningRequestsRequest, context: CallContext
    ) -> ListRunningRequestsResponse:
        self._enter("list_running_requests", request, context)
        return ListRunningRequestsResponse(requests=self.running)

    async def get_metrics(self, request: GetMetricsRequest, context: CallContext) -> GetMetricsResponse:
        self._enter("get_metrics", request, context)
        return GetMetricsResponse(page=b"up 1.0\n")

    async def ready(self) -> bool:
        return self.is_ready

    def _enter(self, method: str, request: Protobuf, context: CallContext) -> None:
        self.calls.append(Call(method, request, context))
        self.arrivals.release()
        if self.key and context.credential.reveal() != self.key:
            raise BadKeyError("the key is missing or unknown")

    def _script(self) -> Sequence[Step]:
        turn = sum(call.method in ("complete", "stream") for call in self.calls)
        return self.turns[turn - 1] if turn <= len(self.turns) else self.script

    async def _play(self, script: Sequence[Step]) -> AsyncGenerator[StreamCompleteResponse, None]:
        self.opened.set()
        try:
            for step in script:
                match step:
                    case StreamCompleteResponse():
                        yield step
                    case asyncio.Event():
                        await step.wait()
                    case _:
                        raise step
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled = True
            raise
        finally:
            self.closed.set()


def batch(*events: Event) -> StreamCompleteResponse:
    return StreamCompleteResponse(events=events)


def started(id: str = "req_1") -> Event:  # noqa: A002 the field's own name
    event = Event()
    event.started.id = id
    event.started.model = "fake-1"
    event.started.provider_response_id = "resp_9"
    event.started.created_at_ms = 1_700_000_000_999
    event.started.target = "fake/fake-1"
    return event


def begun(part: Part | None = None, *, index: int = 0, choice: int = 0) -> Event:
    """A part begins; a text unless told otherwise."""
    return Event(choice=choice, part=index, part_started=Part(text="") if part is None else part)


def said(text: str, *, index: int = 0, choice: int = 0) -> Event:
    return Event(choice=choice, part=index, text=text)


def learned(part: Part, *, index: int = 0, choice: int = 0) -> Event:
    return Event(choice=choice, part=index, part_update=part)


def done(part: Part | None = None, *, index: int = 0, choice: int = 0) -> Event:
    return Event(choice=choice, part=index, part_done=part or Part())


def stopped(
    reason: "FinishReason.ValueType" = FinishReason.FINISH_REASON_STOP, *, native: str = "stop", choice: int = 0
) -> Event:
    event = Event(choice=choice)
    event.choice_finished.finish_reason = reason
    event.choice_finished.native_finish_reason = native
    return event


def finished(usage: Usage | None = None) -> Event:
    event = Event()
    event.finished.usage.CopyFrom(usage or Usage(input_tokens=5, output_tokens=2))
    event.finished.report.CopyFrom(report())
    return event


def failed(error: GatewayError) -> Event:
    event = Event()
    event.failed.failure.CopyFrom(error.to_failure())
    return event


def report() -> RoutingReport:
    """One attempt that answered."""
    found = RoutingReport(target="fake/fake-1", duration_us=2500, overhead_us=500, first_token_us=1500)
    found.attempts.append(
        Attempt(
            target="fake/fake-1",
            outcome=AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED,
            start_us=250,
            duration_us=2000,
            http_status=200,
        )
    )
    return found


def greeting(*words: str) -> list[Step]:
    """A whole answer of plain text, a batch for each word."""
    words = words or ("Hel", "lo")
    return [
        batch(started(), begun(), said(words[0])),
        *(batch(said(word)) for word in words[1:]),
        batch(done(), stopped(), finished()),
    ]
