"""The blocking client."""

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self, TypeVar

import grpc

from trunkline.answer import text_of
from trunkline.caller import (
    DEFAULT_ADDRESS,
    DEFAULT_MAX_MESSAGE_BYTES,
    Caller,
    channel_credentials,
    channel_options,
    failure_of,
)
from trunkline.context import CallContext
from trunkline.errors import GatewayError, GatewayUnreachableError
from trunkline.metadata import to_metadata
from trunkline.reader import AnswerReader, unfinished
from trunkline.secret import Secret
from trunkline.session import Session
from trunkline.v1 import (
    CompleteRequest,
    CompleteResponse,
    CompletionServiceStub,
    CountTokensRequest,
    CountTokensResponse,
    Event,
    GetModelRequest,
    ListModelsRequest,
    ListTargetsRequest,
    Model,
    ModelServiceStub,
    OperationsServiceStub,
    StreamCompleteRequest,
    StreamCompleteResponse,
    TargetState,
)

Request = TypeVar("Request")
Response = TypeVar("Response")


class Client:
    """Asks a gateway for completions. Threads may share one; close it when done.

    Every failure is a `trunkline.errors.GatewayError`.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        api_key: str | Secret = "",
        tls: bool = False,
        credentials: grpc.ChannelCredentials | None = None,
        timeout_s: float | None = None,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        channel: grpc.Channel | None = None,
    ) -> None:
        """`tls` trusts the system's certificates, `credentials` those it holds; without either, the key and all
        else go in clear text. `timeout_s` is for each call that has none of its own. A `channel` of your own
        is used as it is, and closed with the client; `address` then only names it in errors."""
        self._address = address
        self._caller = Caller.of(api_key, timeout_s)
        if channel is None:
            options = channel_options(max_message_bytes)
            found = channel_credentials(credentials, tls=tls)
            if found is None:
                channel = grpc.insecure_channel(address, options)
            else:
                channel = grpc.secure_channel(address, found, options)
        self._channel = channel
        self._completions = CompletionServiceStub(channel)
        self._models = ModelServiceStub(channel)
        self._operations = OperationsServiceStub(channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection and cancels what still runs on it, in other threads too."""
        self._channel.close()

    def ask(self, model: str, prompt: str, *, timeout_s: float | None = None) -> str:
        """The text of the answer to one prompt."""
        return text_of(self.complete(CompleteRequest(model=model, prompt=prompt), timeout_s=timeout_s))

    def complete(
        self,
        request: CompleteRequest,
        *,
        timeout_s: float | None = None,
        request_id: str = "",
        context: CallContext | None = None,
    ) -> CompleteResponse:
        """The whole answer. `context` is for what calls rarely say, such as the trace that they belong to."""
        return self._call(
            self._completions.Complete,
            request,
            self._caller.context(context, timeout_s=timeout_s, request_id=request_id),
        )

    def stream(
        self,
        request: CompleteRequest,
        *,
        timeout_s: float | None = None,
        request_id: str = "",
        context: CallContext | None = None,
    ) -> "AnswerStream":
        """The answer as it comes; the call begins at once. Arguments as for `complete`."""
        context = self._caller.context(context, timeout_s=timeout_s, request_id=request_id)
        metadata = to_metadata(context)
        try:
            call = self._completions.StreamComplete(
                StreamCompleteRequest(request=request), metadata=metadata, timeout=context.remaining_s()
            )
        except ValueError as error:  # gRPC's word for a closed channel
            raise _closed() from error
        return AnswerStream(call, self._address)

    def count_tokens(self, request: CompleteRequest, *, timeout_s: float | None = None) -> CountTokensResponse:
        """How many input tokens the request has, as its provider counts or as the gateway estimates."""
        context = self._caller.context(None, timeout_s=timeout_s, request_id="")
        return self._call(self._completions.CountTokens, CountTokensRequest(request=request), context)

    def session(self, *, context: CallContext | None = None) -> Session:
        """Many answers at once on one stream, with conversations that the gateway keeps; use it with `with`.

        It has no timeout unless `context` has a deadline; each of its requests may have one.
        """
        found = context or CallContext()
        found = replace(found, credential=found.credential or self._caller.credential)
        return Session(
            lambda commands: self._completions.Converse(
                commands, metadata=to_metadata(found), timeout=found.remaining_s()
            ),
            lambda error: failure_of(error, self._address),
        )

    def models(self, *, timeout_s: float | None = None) -> list[Model]:
        """All models that this key may use."""
        context = self._caller.context(None, timeout_s=timeout_s, request_id="")
        models: list[Model] = []
        page_token = ""
        while True:
            page = self._call(self._models.ListModels, ListModelsRequest(page_token=page_token), context)
            models.extend(page.models)
            if not (page_token := page.next_page_token):
                return models

    def targets(self, *, timeout_s: float | None = None) -> list[TargetState]:
        """How the targets of the models are doing that this key may use."""
        context = self._caller.context(None, timeout_s=timeout_s, request_id="")
        return list(self._call(self._operations.ListTargets, ListTargetsRequest(), context).targets)

    def model(self, model_id: str, *, timeout_s: float | None = None) -> Model:
        """One model, or NotFoundError."""
        context = self._caller.context(None, timeout_s=timeout_s, request_id="")
        return self._call(self._models.GetModel, GetModelRequest(id=model_id), context).model

    def _call(
        self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request, context: CallContext
    ) -> Response:
        metadata = to_metadata(context)
        try:
            return method(request, metadata=metadata, timeout=context.remaining_s())
        except grpc.RpcError as error:
            raise failure_of(error, self._address) from error
        except ValueError as error:  # gRPC's word for a closed channel
            raise _closed() from error


class _Batches(Protocol):
    """gRPC's call of a streamed answer, as far as it is used."""

    def __next__(self) -> StreamCompleteResponse: ...

    def cancel(self) -> object: ...


class AnswerStream:
    """The events of one answer, as an iterator; put together, the whole answer.

    Use it with `with`, or close it: closing before the end cancels the call. One thread reads it; any may close it,
    and then the one that reads gets CancelledByCallerError.
    """

    def __init__(self, call: _Batches, address: str) -> None:
        self._call = call
        self._address = address
        self._events: Iterator[Event] = iter(())
        self._reader = AnswerReader()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """The next event. A failed answer gives its `failed` event, then raises."""
        while True:
            for event in self._events:
                return event
            self._events = self._next_batch()

    def texts(self) -> Iterator[str]:
        """The pieces of text of the first choice, as they come."""
        for event in self:
            if event.text and event.choice == 0:
                yield event.text

    def answer(self) -> CompleteResponse:
        """The whole answer; reads what has not been read yet."""
        for _ in self:
            pass
        return self._reader.answer()

    def close(self) -> None:
        """Cancels the call unless it is over. The answer so far is a fragment and is not given out."""
        self._call.cancel()

    def _next_batch(self) -> Iterator[Event]:
        try:
            return self._reader.take(next(self._call))
        except StopIteration:
            if not self._reader.finished:
                raise self._failed(unfinished()) from None
            raise
        except grpc.RpcError as error:
            raise self._failed(failure_of(error, self._address)) from error

    def _failed(self, failure: GatewayError) -> GatewayError:
        self._reader.fail(failure)
        return failure


def _closed() -> GatewayUnreachableError:
    return GatewayUnreachableError("the client is closed")
