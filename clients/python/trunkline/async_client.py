"""The asyncio client."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

import grpc

from trunkline.answer import text_of
from trunkline.async_session import AsyncSession
from trunkline.caller import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_BYTES, Caller, channel_credentials
from trunkline.channel import ChannelGateway, open_channel
from trunkline.context import CallContext
from trunkline.errors import GatewayError
from trunkline.gateway import AnswerStream as Batches
from trunkline.reader import AnswerReader
from trunkline.secret import Secret
from trunkline.v1 import (
    CompleteRequest,
    CompleteResponse,
    CountTokensRequest,
    CountTokensResponse,
    Event,
    GetModelRequest,
    ListModelsRequest,
    ListTargetsRequest,
    Model,
    TargetState,
)


class AsyncClient:
    """Asks a gateway for completions. Make it inside the event loop that uses it, and close it.

    Every failure is a `trunkline.errors.GatewayError`. Cancelling the task that awaits cancels the call, down to the
    provider. All methods may be called at once from many tasks; they share one connection.
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
    ) -> None:
        """`tls` trusts the system's certificates, `credentials` those it holds; without either, the key and all
        else go in clear text. `timeout_s` is for each call that has none of its own."""
        asyncio.get_running_loop()
        self._caller = Caller.of(api_key, timeout_s)
        self._channel = open_channel(
            address,
            credentials=channel_credentials(credentials, tls=tls),
            max_message_bytes=max_message_bytes,
        )
        self._gateway = ChannelGateway(self._channel, address=address)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection and cancels what still runs on it."""
        await self._channel.close()

    async def ask(self, model: str, prompt: str, *, timeout_s: float | None = None) -> str:
        """The text of the answer to one prompt."""
        return text_of(await self.complete(CompleteRequest(model=model, prompt=prompt), timeout_s=timeout_s))

    async def complete(
        self,
        request: CompleteRequest,
        *,
        timeout_s: float | None = None,
        request_id: str = "",
        context: CallContext | None = None,
    ) -> CompleteResponse:
        """The whole answer. `context` is for what calls rarely say, such as the trace that they belong to."""
        return await self._gateway.complete(
            request, self._caller.context(context, timeout_s=timeout_s, request_id=request_id)
        )

    def stream(
        self,
        request: CompleteRequest,
        *,
        timeout_s: float | None = None,
        request_id: str = "",
        context: CallContext | None = None,
    ) -> "AsyncAnswerStream":
        """The answer as it comes; the call begins with the first event asked for. Arguments as for `complete`."""
        return AsyncAnswerStream(
            self._gateway.stream(request, self._caller.context(context, timeout_s=timeout_s, request_id=request_id))
        )

    async def count_tokens(self, request: CompleteRequest, *, timeout_s: float | None = None) -> CountTokensResponse:
        """How many input tokens the request has, as its provider counts or as the gateway estimates."""
        context = self._caller.context(None, timeout_s=timeout_s, request_id="")
        return await self._gateway.count_tokens(CountTokensRequest(request=request), context)

    def session(self, *, context: CallContext | None = None) -> AsyncSession:
        """Many answers at once on one stream, with conversations that the gateway keeps; use it with `async with`.

        It has no timeout unless `context` has a deadline; each of its requests may have one.
        """
        found = context or CallContext()
        return self._gateway.session(replace(found, credential=found.credential or self._caller.credential))

    async def models(self, *, timeout_s: float | None = None) -> list[Model]:
        """All models that this key may use."""
        context = self._caller.context(None, timeout_s=timeout_s, request_id="")
        models: list[Model] = []
        page_token = ""
        while True:
            page = await self._gateway.list_models(ListModelsRequest(page_token=page_token), context)
            models.extend(page.models)
            if not (page_token := page.next_page_token):
                return models

    async def targets(self, *, timeout_s: float | None = None) -> list[TargetState]:
        """How the targets of the models are doing that this key may use."""
        context = self._caller.context(None, timeout_s=timeout_s, request_id="")
        return list((await self._gateway.list_targets(ListTargetsRequest(), context)).targets)

    async def model(self, model_id: str, *, timeout_s: float | None = None) -> Model:
        """One model, or NotFoundError."""
        context = self._caller.context(None, timeout_s=timeout_s, request_id="")
        return (await self._gateway.get_model(GetModelRequest(id=model_id), context)).model

    async def ready(self) -> bool:
        """Whether the gateway is reached and takes calls."""
        return await self._gateway.ready()


class AsyncAnswerStream:
    """The events of one answer, as an async iterator; put together, the whole answer.

    Use it with `async with`, or close it: closing before the end cancels the call. One task reads it; others
    stop it by cancelling that task.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._events: Iterator[Event] = iter(())
        self._reader = AnswerReader()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event. A failed answer gives its `failed` event, then raises."""
        while True:
            for event in self._events:
                return event
            try:
                self._events = self._reader.take(await anext(self._batches))
            except GatewayError as error:
                self._reader.fail(error)
                raise

    async def texts(self) -> AsyncIterator[str]:
        """The pieces of text of the first choice, as they come."""
        async for event in self:
            if event.text and event.choice == 0:
                yield event.text

    async def answer(self) -> CompleteResponse:
        """The whole answer; reads what has not been read yet."""
        async for _ in self:
            pass
        return self._reader.answer()

    async def close(self) -> None:
        """Cancels the call unless it is over. The answer so far is a fragment and is not given out."""
        await self._batches.aclose()
