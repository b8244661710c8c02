"""The blocking client's session: many answers at once on one stream, and conversations that the gateway keeps."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

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


class Call(Protocol):
    """gRPC's call, as far as it is used."""

    def __iter__(self) -> Iterator[ConverseResponse]: ...

    def cancel(self) -> object:
        """Ends it at once, on both sides."""
        ...


OpenCall = Callable[[Iterator[ConverseRequest]], Call]


class Session:
    """Use it with `with`; made by `Client.session`.

    Leaving the block cancels what has not ended. Threads may share it; one thread reads each answer. Whoever reads
    slowly holds up its own answer only: the gateway is told to send as much as has been read.
    """

    def __init__(self, open_call: OpenCall, failure_of: Callable[[grpc.RpcError], GatewayError]) -> None:
        """`open_call` begins the RPC with its commands; `failure_of` says what its error means."""
        self._open_call = open_call
        self._failure_of = failure_of
        self._book = SessionBook()
        self.changed = threading.Condition()
        """Guards all that is known of the session, and tells of what is new; for the session's answers."""
        # None ends it. Commands are small and each waits for its answer, so it needs no bound.
        self._commands: queue.SimpleQueue[ConverseRequest | None] = queue.SimpleQueue()
        self._call: Call | None = None
        self._reading: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self._call = call = self._open_call(iter(self._commands.get, None))
        except ValueError as error:  # gRPC's word for a closed channel
            raise GatewayUnreachableError("the client is closed") from error
        self._reading = threading.Thread(target=self._read, args=(call,), name="trunkline session", daemon=True)
        self._reading.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.changed:
            self._book.end(left())
            self.changed.notify_all()
        self._commands.put(None)
        if self._call is not None:
            self._call.cancel()
        if self._reading is not None:
            self._reading.join()

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

    def start(
        self,
        request: CompleteRequest,
        *,
        conversation: str = "",
        request_id: str = "",
        timeout_s: float | None = None,
        traceparent: str = "",
        window_bytes: int = DEFAULT_WINDOW_BYTES,
    ) -> "SessionAnswer":
        """Starts a request, whose answer comes with the events asked for.

        `conversation` is the id under which the gateway keeps the turn, for `append`; empty: it keeps nothing.
        `request_id` is the request's id in this session; one is made otherwise. `traceparent` is the W3C trace context
        of the caller's span. As many as `window_bytes` may wait to be read.
        """
        return self._begin(
            request,
            conversation=conversation,
            append=False,
            request_id=request_id,
            timeout_s=timeout_s,
            traceparent=traceparent,
            window_bytes=window_bytes,
        )

    def append(
        self,
        conversation: str,
        request: CompleteRequest,
        *,
        request_id: str = "",
        timeout_s: float | None = None,
        traceparent: str = "",
        window_bytes: int = DEFAULT_WINDOW_BYTES,
    ) -> "SessionAnswer":
        """Goes on with a conversation: `request` holds only what is new. Arguments as for `start`."""
        return self._begin(
            request,
            conversation=conversation,
            append=True,
            request_id=request_id,
            timeout_s=timeout_s,
            traceparent=traceparent,
            window_bytes=window_bytes,
        )

    def fork(self, conversation: str, new_conversation: str) -> None:
        """Copies a conversation as it stands, so that it can go on in two ways. Raises why it cannot be copied."""
        command = ConverseRequest()
        command.fork.conversation_id = conversation
        command.fork.new_conversation_id = new_conversation
        self._ask(command, "fork", new_conversation)

    def forget(self, conversation: str) -> None:
        """Frees a conversation. Raises NotFoundError if there is none."""
        command = ConverseRequest()
        command.forget.conversation_id = conversation
        self._ask(command, "forget", conversation)

    def ping(self) -> float:
        """How many seconds the gateway takes to answer."""
        began = time.monotonic()
        self._ask(None)
        return time.monotonic() - began

    def finish(self) -> None:
        """Says that no more commands come; what runs is finished, and can still be read."""
        with self.changed:
            self._book.check()
        self._commands.put(None)

    def send(self, command: ConverseRequest) -> None:
        """Sends a command as it is. Raises why the session is over."""
        with self.changed:
            self._book.check()
        self._commands.put(command)

    def _begin(
        self,
        request: CompleteRequest,
        *,
        conversation: str,
        append: bool,
        request_id: str,
        timeout_s: float | None,
        traceparent: str,
        window_bytes: int,
    ) -> "SessionAnswer":
        with self.changed:
            inbox = Inbox(request_id or self._book.new_id(), window_bytes)
            answer = SessionAnswer(self, inbox)
            self._book.begin(answer)
        self._commands.put(
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

    def _ask(self, command: ConverseRequest | None, kind: str = "", conversation_id: str = "") -> None:
        """Sends the command and waits until the gateway has looked at it. Raises why it was refused."""
        reply = _Reply()
        with self.changed:
            self._book.check()
            ping = self._book.expect(reply, kind, conversation_id)
            for sent in (command, ping):
                if sent is not None:
                    self._commands.put(sent)
            self.changed.wait_for(lambda: reply.done)
        if reply.failure is not None:
            raise reply.failure

    def _read(self, call: Call) -> None:
        failure: GatewayError | None = None
        try:
            for response in call:
                with self.changed:
                    self._book.take(response)
                    self.changed.notify_all()
        except grpc.RpcError as error:
            failure = self._failure_of(error)
        finally:
            with self.changed:
                self._book.end(failure)
                self.changed.notify_all()
            self._commands.put(None)


class SessionAnswer:
    """The events of one answer in a session, as an iterator; put together, the whole answer.

    Use it with `with`, or read it to its end: leaving it earlier cancels the request.
    """

    def __init__(self, session: Session, inbox: Inbox) -> None:
        self.inbox = inbox
        """What has come and is not read yet; for the session."""
        self._session = session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """The next event. A failed answer gives its `failed` event, then raises."""
        changed = self._session.changed
        with changed:
            while (event := self.inbox.next()) is None:
                changed.wait()
            owed_bytes = self.inbox.owed_bytes()
        if owed_bytes:
            self._session.send(credit_command(self.request_id, owed_bytes))
        return event

    @property
    def request_id(self) -> str:
        """The request's id in its session."""
        return self.inbox.request_id

    @property
    def conversation(self) -> ConversationState | None:
        """How the conversation stands after the turn; None before its end, and where the request is in none."""
        return self.inbox.conversation

    def texts(self) -> Iterator[str]:
        """The pieces of text of the first choice, as they come."""
        for event in self:
            if event.text and event.choice == 0:
                yield event.text

    def answer(self) -> CompleteResponse:
        """The whole answer; reads what has not been read yet."""
        for _ in self:
            pass
        return self.inbox.answer()

    def cancel(self) -> None:
        """Stops the request, down to the provider; it then fails with CancelledByCallerError. Not if it has ended."""
        if not self.inbox.ended:
            command = ConverseRequest(request_id=self.request_id)
            command.cancel.SetInParent()
            self._session.send(command)

    def prioritize(self, priority: "Priority.ValueType") -> None:
        """Gives a request that waits in a queue another place in it."""
        if not self.inbox.ended:
            command = ConverseRequest(request_id=self.request_id)
            command.update.priority = priority
            self._session.send(command)

    def wake(self) -> None:
        """For the session, which wakes all who wait."""


class _Reply:
    """Set once."""

    def __init__(self) -> None:
        self.done = False
        self.failure: GatewayError | None = None

    def resolve(self, failure: GatewayError | None) -> None:
        if not self.done:
            self.done, self.failure = True, failure
