"""A gateway that answers by a script and remembers what it was asked, for tests of whoever takes or makes calls."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from trunkline.answer import AnswerBuilder
from trunkline.context import CallContext
from trunkline.errors import BadKeyError, GatewayError, NotFoundError
from trunkline.v1 import (
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
    RunningRequest,
    StreamCompleteResponse,
    TargetState,
)

Batches = AsyncGenerator[StreamCompleteResponse, None]
Script = Callable[[CompleteRequest], Batches]


def batches_of(*texts: str) -> list[StreamCompleteResponse]:
    """A whole answer of one choice, each text in a batch of its own."""
    first, last = [Event(), Event()], [Event(), Event(), Event()]
    first[0].started.id = "req_scripted"
    first[0].started.model = "scripted-1"
    first[1].part_started.text = ""
    last[0].part_done.SetInParent()
    last[1].choice_finished.finish_reason = FinishReason.FINISH_REASON_STOP
    last[2].finished.usage.output_tokens = len(texts)
    return numbered([first, *([Event(text=text)] for text in texts), last])


def numbered(groups: Sequence[Sequence[Event]]) -> list[StreamCompleteResponse]:
    """Groups of events as a stream's batches."""
    batches, first_event = [], 1
    for events in groups:
        batches.append(StreamCompleteResponse(events=events, first_event=first_event))
        first_event += len(events)
    return batches


def failed_batch(error: GatewayError, *, first_event: int) -> StreamCompleteResponse:
    """The last batch of an answer that fails."""
    batch = StreamCompleteResponse(first_event=first_event)
    batch.events.add().failed.failure.CopyFrom(error.to_failure())
    return batch


def says(*texts: str) -> Script:
    """A script that gives this answer, whatever is asked."""

    async def script(request: CompleteRequest) -> Batches:
        for batch in batches_of(*texts):
            yield batch

    return script


def refuses(error: GatewayError) -> Script:
    """A script that fails before its first batch."""

    async def script(request: CompleteRequest) -> Batches:
        raise error
        yield StreamCompleteResponse()

    return script


def breaks_off(error: GatewayError, *texts: str) -> Script:
    """A script that gives these texts, then fails as the contract has it."""

    async def script(request: CompleteRequest) -> Batches:
        begun = batches_of(*texts)[:-1]
        for batch in begun:
            yield batch
        yield failed_batch(error, first_event=begun[-1].first_event + len(begun[-1].events))
        raise error

    return script


def hangs_after(*batches: StreamCompleteResponse) -> Script:
    """A script that gives these batches and then nothing more."""

    async def script(request: CompleteRequest) -> Batches:
        for batch in batches:
            yield batch
        await asyncio.Event().wait()

    return script


class ScriptedGateway:
    """Implements `trunkline.gateway.Gateway`."""

    def __init__(self, script: Script | None = None, *, models: Sequence[str] = ("a", "b", "c"), key: str = "") -> None:
        """With a `key`, calls without it are refused. Pages of models hold two."""
        self.script = script or says("Hello ", "there")
        self.requests: list[CompleteRequest] = []
        self.contexts: list[CallContext] = []
        self.endings: list[str] = []
        """How each answer ended: "whole", "left" by its caller, or "failed"."""
        self.begun = asyncio.Event()
        """Set when an answer begins."""
        self.ended = asyncio.Event()
        """Set when one has ended."""
        self._models = [Model(id=name) for name in models]
        self._key = key

    async def complete(self, request: CompleteRequest, context: CallContext) -> CompleteResponse:
        """The answer of the script, folded."""
        answer = AnswerBuilder()
        async with aclosing(self.stream(request, context)) as batches:
            async for batch in batches:
                answer.add(batch)
        return answer.response()

    async def stream(self, request: CompleteRequest, context: CallContext) -> Batches:
        """The answer of the script."""
        self._admit(context)
        self.requests.append(request)
        self.begun.set()
        ending = "whole"
        try:
            async with aclosing(self.script(request)) as batches:
                async for batch in batches:
                    yield batch
        except (asyncio.CancelledError, GeneratorExit):
            ending = "left"
            raise
        except Exception:
            ending = "failed"
            raise
        finally:
            self.endings.append(ending)
            self.ended.set()

    async def count_tokens(self, request: CountTokensRequest, context: CallContext) -> CountTokensResponse:
        """Seven, whatever is asked."""
        self._admit(context)
        return CountTokensResponse(input_tokens=7, target="a/m")

    async def list_models(self, request: ListModelsRequest, context: CallContext) -> ListModelsResponse:
        """Two of the models."""
        self._admit(context)
        start = int(request.page_token or 0)
        rest = self._models[start:]
        return ListModelsResponse(models=rest[:2], next_page_token=str(start + 2) if len(rest) > 2 else "")

    async def get_model(self, request: GetModelRequest, context: CallContext) -> GetModelResponse:
        """One of the models."""
        self._admit(context)
        for model in self._models:
            if model.id == request.id:
                return GetModelResponse(model=model)
        raise NotFoundError(f"there is no model {request.id!r}")

    async def list_targets(self, request: ListTargetsRequest, context: CallContext) -> ListTargetsResponse:
        """One target."""
        self._admit(context)
        return ListTargetsResponse(targets=[TargetState(target="a/m")])

    async def list_running_requests(
        self, request: ListRunningRequestsRequest, context: CallContext
    ) -> ListRunningRequestsResponse:
        """One request."""
        self._admit(context)
        return ListRunningRequestsResponse(requests=[RunningRequest(request_id="req_1")])

    async def get_metrics(self, request: GetMetricsRequest, context: CallContext) -> GetMetricsResponse:
        """One metric."""
        self._admit(context)
        return GetMetricsResponse(page=b"up 1.0\n")

    async def ready(self) -> bool:
        """Always."""
        return True

    def _admit(self, context: CallContext) -> None:
        self.contexts.append(context)
        if self._key and context.credential.reveal() != self._key:
            raise BadKeyError("no such key")
