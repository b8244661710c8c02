"""The asyncio client's session: many answers at once on one stream, and conversations that the gateway keeps."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

import grpc

from trunkline.errors import GatewayError, GatewayUnreachableError
from trunkline.inbox import DEFAULT_WINDOW_BYTES, Inbox, left
from trunkline.session_book import SessionBook, begin_command, credit_command
from trunkline.v1 import (
    CompleteRequest,
    CompleteResponse,
    ConversationState,
    ConverseRequest,
    ConverseResponse,
    Event,
    Priority,
    SessionLimits,
)

Call = grpc.aio.StreamStreamCall[ConverseRequest, ConverseResponse]


class AsyncSession:
    """Use it with `async with`; made by `AsyncClient.session`.

    Leaving the block cancels what has not ended. Any number of tasks may start, append and read at once. Whoever reads
    slowly holds up its own answer only: the gateway is told to send as much as has been read.
    """

    def __init__(self, open_call: Callable[[], Call], failure_of: Callable[[grpc.RpcError], GatewayError]) -> None:
        """`open_call` begins the RPC; `failure_of` says what its error means."""
        self._open_call = open_call
        self._failure_of = failure_of
        self._book = SessionBook()
        self._writing = asyncio.Lock()
        self._call: Call | None = None
        self._reading: asyncio.Task[None] | None = None
        self._half_closed = False

    async def __aenter__(self) -> Self:
        self._call = self._open_call()
        self._reading = asyncio.create_task(self._read(self._call))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        call, reading = self._call, self._reading
        if call is None or reading is None:
            return
        self._book.end(left())
        if not self._half_closed and not call.done():
            call.cancel()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    @property
    def session_id(self) -> str:
        """The gateway's id of the session, for logs; empty before the gateway has answered."""
        return self._book.session_id

    @property
    def limits(self) -> SessionLimits | None:
        """What the session allows; None before the gateway has answered."""
        return self._book.limits

    @property
    def draining(self) -> bool:
        """Whether the gateway is about to end the session: what runs is finished, nothing more is taken on."""
        return self._book.draining

    async def start(
        self,
        request: CompleteRequest,
        *,
        conversation: str = "",
        request_id: str = "",
        timeout_s: float | None = None,
        traceparent: str = "",
        window_bytes: int = DEFAULT_WINDOW_BYTES,
    ) -> "AsyncSessionAnswer":
        """Starts a request, whose answer comes with the events asked for.

        `conversation` is the id under which the gateway keeps the turn, for `append`; empty: it keeps nothing.
        `request_id` is the request's id in this session; one is made otherwise. `traceparent` is the W3C trace context
        of the caller's span. As many as `window_bytes` may wait to be read.
        """
        return await self._begin(
            request,
            conversation=conversation,
            append=False,
            request_id=request_id,
            timeout_s=timeout_s,
            traceparent=traceparent,
            window_bytes=window_bytes,
        )

    async def append(
        self,
        conversation: str,
        request: CompleteRequest,
        *,
        request_id: str = "",
        timeout_s: float | None = None,
        traceparent: str = "",
        window_bytes: int = DEFAULT_WINDOW_BYTES,
    ) -> "AsyncSessionAnswer":
        """Goes on with a conversation: `request` holds only what is new. Arguments as for `start`."""
        return await self._begin(
            request,
            conversation=conversation,
            append=True,
            request_id=request_id,
            timeout_s=timeout_s,
            traceparent=traceparent,
            window_bytes=window_bytes,
        )

    async def fork(self, conversation: str, new_conversation: str) -> None:
        """Copies a conversation as it stands, so that it can go on in two ways. Raises why it cannot be copied."""
        command = ConverseRequest()
        command.fork.conversation_id = conversation
        command.fork.new_conversation_id = new_conversation
        await self._ask(command, "fork", new_conversation)

    async def forget(self, conversation: str) -> None:
        """Frees a conversation. Raises NotFoundError if there is none."""
        command = ConverseRequest()
        command.forget.conversation_id = conversation
        await self._ask(command, "forget", conversation)

    async def ping(self) -> float:
        """How many seconds the gateway takes to answer."""
        began = time.monotonic()
        await self._ask(None)
        return time.monotonic() - began

    async def finish(self) -> None:
        """Says that no more commands come; what runs is finished, and can still be read."""
        self._book.check()
        if self._call is not None and not self._half_closed:
            self._half_closed = True
            async with self._writing:
                await self._call.done_writing()

    async def send(self, command: ConverseRequest) -> None:
        """Sends a command as it is. Raises why the session is over."""
        self._book.check()
        if self._call is None:
            raise GatewayUnreachableError("the session has not been entered: use `async with`")
        if self._half_closed:
            return  # nothing counts any more but the end
        try:
            async with self._writing:
                await self._call.write(command)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            # The reading task learns why, and tells.
            if self._reading is not None:
                await asyncio.wait([self._reading])
            self._book.check()

    async def _begin(
        self,
        request: CompleteRequest,
        *,
        conversation: str,
        append: bool,
        request_id: str,
        timeout_s: float | None,
        traceparent: str,
        window_bytes: int,
    ) -> "AsyncSessionAnswer":
        inbox = Inbox(request_id or self._book.new_id(), window_bytes)
        answer = AsyncSessionAnswer(self, inbox)
        self._book.begin(answer)
        await self.send(
            begin_command(
                inbox,
                request,
                conversation=conversation,
                append=append,
                timeout_s=timeout_s,
                traceparent=traceparent,
            )
        )
        return answer

    async def _ask(self, command: ConverseRequest | None, kind: str = "", conversation_id: str = "") -> None:
        """Sends the command and waits until the gateway has looked at it. Raises why it was refused."""
        self._book.check()
        reply = _Reply()
        ping = self._book.expect(reply, kind, conversation_id)
        if command is not None:
            await self.send(command)
        await self.send(ping)
        failure = await reply.done
        if failure is not None:
            raise failure

    async def _read(self, call: Call) -> None:
        failure: GatewayError | None = None
        try:
            async for response in call:
                self._book.take(response)
        except grpc.aio.AioRpcError as error:
            failure = self._failure_of(error)
        except asyncio.CancelledError:
            failure = left()
            raise
        finally:
            self._book.end(failure)


class AsyncSessionAnswer:
    """The events of one answer in a session, as an async iterator; put together, the whole answer.

    Use it with `async with`, or read it to its end: leaving it earlier cancels the request. One task reads it.
    """

    def __init__(self, session: AsyncSession, inbox: Inbox) -> None:
        self.inbox = inbox
        """What has come and is not read yet; for the session."""
        self._session = session
        self._waiter: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self.inbox.ended:
            await self.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event. A failed answer gives its `failed` event, then raises."""
        while True:
            try:
                event = self.inbox.next()
            except StopIteration:
                raise StopAsyncIteration from None
            if event is not None:
                if owed_bytes := self.inbox.owed_bytes():
                    await self._session.send(credit_command(self.request_id, owed_bytes))
                return event
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    @property
    def request_id(self) -> str:
        """The request's id in its session."""
        return self.inbox.request_id

    @property
    def conversation(self) -> ConversationState | None:
        """How the conversation stands after the turn; None before its end, and where the request is in none."""
        return self.inbox.conversation

    async def texts(self) -> AsyncIterator[str]:
        """The pieces of text of the first choice, as they come."""
        async for event in self:
            if event.text and event.choice == 0:
                yield event.text

    async def answer(self) -> CompleteResponse:
        """The whole answer; reads what has not been read yet."""
        async for _ in self:
            pass
        return self.inbox.answer()

    async def cancel(self) -> None:
        """Stops the request, down to the provider; it then fails with CancelledByCallerError. Not if it has ended."""
        if not self.inbox.ended:
            command = ConverseRequest(request_id=self.request_id)
            command.cancel.SetInParent()
            await self._session.send(command)

    async def prioritize(self, priority: "Priority.ValueType") -> None:
        """Gives a request that waits in a queue another place in it."""
        if not self.inbox.ended:
            command = ConverseRequest(request_id=self.request_id)
            command.update.priority = priority
            await self._session.send(command)

    def wake(self) -> None:
        """For the session: something new has come."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Reply:
    """A future that is resolved once."""

    def __init__(self) -> None:
        self.done: asyncio.Future[GatewayError | None] = asyncio.get_running_loop().create_future()

    def resolve(self, failure: GatewayError | None) -> None:
        if not self.done.done():
            self.done.set_result(failure)
