"""The seam between whoever takes calls and whoever answers them."""

from collections.abc import AsyncGenerator
from typing import Protocol

from trunkline.context import CallContext
from trunkline.v1 import (
    CompleteRequest,
    CompleteResponse,
    CountTokensRequest,
    CountTokensResponse,
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
    StreamCompleteResponse,
)

AnswerStream = AsyncGenerator[StreamCompleteResponse, None]


class Gateway(Protocol):
    """Answers calls: the engine in this process, or a channel to one elsewhere.

    Messages are immutable once handed over, in both directions. Every failure is a `trunkline.errors.GatewayError`.
    Cancelling the awaiting task cancels the call down to the provider's socket.
    """

    async def complete(self, request: CompleteRequest, context: CallContext) -> CompleteResponse:
        """The whole answer."""
        ...

    def stream(self, request: CompleteRequest, context: CallContext) -> AnswerStream:
        """The answer in batches of events; nothing is read from the provider until the next batch is asked for.

        Ends after `finished`, or raises after the batch with `failed`. Whoever stops early must `aclose()` it
        (`contextlib.aclosing`), which cancels the call.
        """
        ...

    async def count_tokens(self, request: CountTokensRequest, context: CallContext) -> CountTokensResponse:
        """How many input tokens a request has, as its provider counts or as the gateway estimates."""
        ...

    async def list_models(self, request: ListModelsRequest, context: CallContext) -> ListModelsResponse:
        """A page of the models that the caller may use."""
        ...

    async def get_model(self, request: GetModelRequest, context: CallContext) -> GetModelResponse:
        """One model, or NotFoundError if there is none that the caller may use."""
        ...

    async def list_targets(self, request: ListTargetsRequest, context: CallContext) -> ListTargetsResponse:
        """How the targets of the models are doing that the caller may use."""
        ...

    async def list_running_requests(
        self, request: ListRunningRequestsRequest, context: CallContext
    ) -> ListRunningRequestsResponse:
        """The requests that are being answered, the oldest first, for a key that may look inside."""
        ...

    async def get_metrics(self, request: GetMetricsRequest, context: CallContext) -> GetMetricsResponse:
        """The metrics of the process that answers, as Prometheus scrapes them."""
        ...

    async def ready(self) -> bool:
        """Whether new calls are taken; False while starting, draining, or while there is no way to the core."""
        ...
