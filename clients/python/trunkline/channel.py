"""A gateway at the other end of a gRPC channel."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

import grpc

from trunkline.async_session import AsyncSession
from trunkline.caller import DEFAULT_MAX_MESSAGE_BYTES, channel_options, failure_of
from trunkline.context import CallContext
from trunkline.errors import GatewayUnreachableError
from trunkline.metadata import to_metadata
from trunkline.reader import is_finished, unfinished
from trunkline.v1 import (
    CompleteRequest,
    CompleteResponse,
    CompletionServiceStub,
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
    ModelServiceStub,
    OperationsServiceStub,
    StreamCompleteRequest,
    StreamCompleteResponse,
)

_READY_TIMEOUT_S = 2.0

# grpc.health.v1 as bytes, so that clients need no package for one message of one field:
# HealthCheckRequest{service: ""} is empty, HealthCheckResponse{status: SERVING} is field 1, a varint, of value 1.
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
_WHOLE_SERVER = b""
_SERVING = b"\x08\x01"

Request = TypeVar("Request")
Response = TypeVar("Response")


def open_channel(
    address: str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
) -> grpc.aio.Channel:
    """A channel to the gateway at HOST:PORT, in clear text unless there are credentials.

    It belongs to the running event loop and connects with its first call.
    """
    options = channel_options(max_message_bytes)
    if credentials is None:
        return grpc.aio.insecure_channel(address, options)
    return grpc.aio.secure_channel(address, credentials, options)


class ChannelGateway:
    """Implements `trunkline.gateway.Gateway` by calls to a gateway elsewhere: for clients and for a split bridge.

    It holds no key: each call carries the credential, trace context and remaining time of its CallContext.
    """

    def __init__(self, channel: grpc.aio.Channel, *, address: str = "") -> None:
        """The channel stays the caller's to close. `address` is for error messages."""
        self._address = address
        self._completions = CompletionServiceStub(channel)
        self._models = ModelServiceStub(channel)
        self._operations = OperationsServiceStub(channel)
        self._check_health: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH_CHECK)

    async def complete(self, request: CompleteRequest, context: CallContext) -> CompleteResponse:
        """The whole answer."""
        return await self._call(self._completions.Complete, request, context)

    async def stream(
        self, request: CompleteRequest, context: CallContext
    ) -> AsyncGenerator[StreamCompleteResponse, None]:
        """The answer in batches; see `Gateway.stream`. Closing it cancels the call."""
        last = None
        try:
            call = self._completions.StreamComplete(
                StreamCompleteRequest(request=request), metadata=to_metadata(context), timeout=context.remaining_s()
            )
            try:
                async for batch in call:
                    yield batch
                    last = batch
            finally:
                call.cancel()
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, self._address) from error
        except grpc.aio.UsageError as error:
            raise _closed() from error
        except asyncio.CancelledError:
            _check_cancelled()
            raise
        if not is_finished(last):
            raise unfinished()

    async def count_tokens(self, request: CountTokensRequest, context: CallContext) -> CountTokensResponse:
        """How many input tokens a request has."""
        return await self._call(self._completions.CountTokens, request, context)

    def session(self, context: CallContext) -> AsyncSession:
        """Many answers at once on one stream; enter it to open it."""
        return AsyncSession(
            lambda: self._completions.Converse(metadata=to_metadata(context), timeout=context.remaining_s()),
            lambda error: failure_of(error, self._address),
        )

    async def list_models(self, request: ListModelsRequest, context: CallContext) -> ListModelsResponse:
        """A page of the models that the caller may use."""
        return await self._call(self._models.ListModels, request, context)

    async def get_model(self, request: GetModelRequest, context: CallContext) -> GetModelResponse:
        """One model, or NotFoundError if there is none that the caller may use."""
        return await self._call(self._models.GetModel, request, context)

    async def list_targets(self, request: ListTargetsRequest, context: CallContext) -> ListTargetsResponse:
        """How the targets of the models are doing that the caller may use."""
        return await self._call(self._operations.ListTargets, request, context)

    async def list_running_requests(
        self, request: ListRunningRequestsRequest, context: CallContext
    ) -> ListRunningRequestsResponse:
        """The requests that are being answered."""
        return await self._call(self._operations.ListRunningRequests, request, context)

    async def get_metrics(self, request: GetMetricsRequest, context: CallContext) -> GetMetricsResponse:
        """The metrics of the process that answers, as Prometheus scrapes them."""
        return await self._call(self._operations.GetMetrics, request, context)

    async def ready(self) -> bool:
        """Whether the gateway is reached and takes calls, by grpc.health.v1."""
        try:
            answer = await self._check_health(_WHOLE_SERVER, timeout=_READY_TIMEOUT_S)
        except (grpc.aio.AioRpcError, grpc.aio.UsageError):
            return False
        return answer.startswith(_SERVING)

    async def _call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, context: CallContext
    ) -> Response:
        try:
            return await method(request, metadata=to_metadata(context), timeout=context.remaining_s())
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, self._address) from error
        except grpc.aio.UsageError as error:
            raise _closed() from error
        except asyncio.CancelledError:
            _check_cancelled()
            raise


def _check_cancelled() -> None:
    """Closing a channel raises CancelledError in whoever waits for its calls, although nobody cancelled them."""
    task = asyncio.current_task()
    if task is not None and not task.cancelling():
        raise _closed() from None


def _closed() -> GatewayUnreachableError:
    return GatewayUnreachableError("the channel to the gateway is closed")
