"""One session: what its client's commands do, and when it is over."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from trunkline.context import CallContext, Steering, new_request_id
from trunkline.errors import (
    CancelledByCallerError,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ShuttingDownError,
)
from trunkline.gateway import Gateway
from trunkline.interruptible import Interruptible
from trunkline.v1 import AppendCommand, CompleteRequest, ConverseRequest, ConverseResponse, StartCommand
from trunkline_server.config.settings import SessionSettings
from trunkline_server.sessions import conversation
from trunkline_server.sessions.conversation import Conversations, Turn
from trunkline_server.sessions.lane import MAX_CREDIT_BYTES, Lane
from trunkline_server.sessions.request import SessionRequest
from trunkline_server.sessions.room import Room
from trunkline_server.sessions.writer import Write, Writer

MAX_ID_BYTES: Final = 64

Read = Callable[[], Awaitable[ConverseRequest | None]]
"""Gives the next command; None: the client has half-closed."""


class _OverError(Exception):
    """The session has been drained: nothing runs, and nothing more is taken on."""


class Session:
    """Answers one client's commands until the client has half-closed or the session is drained, and all is said."""

    def __init__(
        self,
        gateway: Gateway,
        context: CallContext,
        settings: SessionSettings,
        room: Room,
        *,
        write_stall_s: float,
    ) -> None:
        """`context` is the call's; `room` is for the session's conversations."""
        self.id = context.request_id
        self._gateway = gateway
        # What holds for each request. Ids and traces are their own, and linked to the session's; an idempotency key
        # can only be one request's.
        self._context = replace(
            context,
            request_id="",
            session_id=context.request_id,
            idempotency_key="",
            traceparent="",
            tracestate="",
            trace=None,
            link=context.trace,
        )
        self._settings = settings
        self._write_stall_s = write_stall_s
        self._conversations = Conversations(room, max_conversations=settings.max_conversations)
        self._requests: dict[str, SessionRequest] = {}
        """Those whose last event is not yet on its way."""
        self._loop = asyncio.get_running_loop()
        self._stretch = Interruptible()
        self._draining: ShuttingDownError | None = None
        """What becomes of requests that come too late or take too long; None: it is not draining."""
        self._ends_at = 0.0
        self._end_timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future[None] | None = None
        self._tasks: asyncio.TaskGroup
        self._writer: Writer

    async def run(self, read: Read, write: Write) -> None:
        """Returns when the session has ended well; raises what ends it otherwise. Cancelling it cancels everything."""
        failure: GatewayError | None = None
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._writer = Writer(
                    write,
                    self,
                    self._tasks,
                    window_s=self._settings.window_ms / 1000,
                    stall_s=self._write_stall_s,
                )
                try:
                    with self._stretch:
                        await self._converse(read)
                except _OverError:
                    pass
                except GatewayError as error:
                    # Not out of the group, which would wrap it.
                    failure = error
                    self._abandon()
                finally:
                    # The group takes no more tasks now, and a drain may still want to say something.
                    self._writer.close()
        finally:
            if self._end_timer is not None:
                self._end_timer.cancel()
        if failure is not None:
            raise failure

    def drain(self, remaining_s: float, error: ShuttingDownError) -> None:
        """Takes nothing more on, and ends with `error` what still runs after that time; the earliest end counts."""
        ends_at = self._loop.time() + remaining_s
        if self._draining is not None and ends_at >= self._ends_at:
            return
        if self._end_timer is not None:
            self._end_timer.cancel()
        self._draining, self._ends_at = error, ends_at
        self._end_timer = self._loop.call_at(ends_at, self._stop_all)
        notice = ConverseResponse()
        notice.draining.remaining_ms = round(remaining_s * 1000)
        self._writer.notify(notice)

    def busy(self) -> bool:
        """For the writer."""
        return bool(self._requests)

    def said_last(self, lane: Lane) -> None:
        """For the writer."""
        del self._requests[lane.request_id]

    def quiet(self) -> None:
        """For the writer."""
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        if self._draining is not None:
            self._stretch.interrupt(_OverError())

    def fail(self, error: GatewayError) -> None:
        """Ends the session with this error."""
        self._stretch.interrupt(error)

    async def _converse(self, read: Read) -> None:
        self._open()
        while (command := await read()) is not None:
            self._take(command)
            await self._writer.slack()
        for request in self._requests.values():
            request.lane.release()  # nobody could give credit any more
        self._idle = self._loop.create_future()
        if self._requests or self._writer.active:
            await self._idle

    def _open(self) -> None:
        settings, notice = self._settings, ConverseResponse()
        notice.opened.session_id = self.id
        limits = notice.opened.limits
        limits.max_requests = settings.max_requests
        limits.max_conversations = settings.max_conversations
        limits.max_history_bytes = settings.max_history_bytes
        limits.max_age_ms = round(settings.max_age_s * 1000)
        self._writer.notify(notice)

    def _take(self, command: ConverseRequest) -> None:
        kind = command.WhichOneof("command")
        try:
            self._do(command, kind)
        except GatewayError as error:
            self._reject(command, kind or "", error)

    def _do(self, command: ConverseRequest, kind: str | None) -> None:
        match kind:
            case "start":
                self._start(command)
            case "append":
                self._append(command)
            case "cancel":
                self._get(command).stop(CancelledByCallerError("the client cancelled the request"))
            case "update":
                self._get(command).reprioritize(command.update.priority)
            case "credit":
                self._credit(command)
            case "ping":
                notice = ConverseResponse()
                notice.pong.token = command.ping.token
                self._writer.notify(notice)
            case "fork":
                self._conversations.fork(command.fork.conversation_id, command.fork.new_conversation_id)
            case "forget":
                self._conversations.forget(command.forget.conversation_id)
            case _:
                raise InvalidRequestError.at_field("command", "is required: none is set that this gateway knows")

    def _reject(self, command: ConverseRequest, kind: str, error: GatewayError) -> None:
        notice = ConverseResponse()
        rejected = notice.rejected
        rejected.request_id = command.request_id[:MAX_ID_BYTES]
        rejected.command = kind
        rejected.conversation_id = _conversation_id(command, kind)[: conversation.MAX_ID_BYTES]
        rejected.failure.CopyFrom(error.to_failure())
        self._writer.notify(notice)

    def _start(self, command: ConverseRequest) -> None:
        start = command.start
        credit = self._check_new(command.request_id, start, "start")
        turn: Turn | None = None
        if start.conversation_id:
            turn = self._conversations.start(start.conversation_id, start.request)
        self._begin(command.request_id, start, start.request if turn is None else turn.asked, credit, turn)

    def _append(self, command: ConverseRequest) -> None:
        append = command.append
        credit = self._check_new(command.request_id, append, "append")
        turn = self._conversations.append(append.conversation_id, append.request)
        self._begin(command.request_id, append, turn.asked, credit, turn)

    def _check_new(self, request_id: str, command: StartCommand | AppendCommand, kind: str) -> int | None:
        """The credit of a request that may begin. Raises GatewayError if it may not."""
        if self._draining is not None:
            raise self._draining
        if not 0 < len(request_id.encode()) <= MAX_ID_BYTES:
            raise InvalidRequestError.at_field("request_id", f"1 to {MAX_ID_BYTES} bytes")
        if request_id in self._requests:
            raise InvalidRequestError.at_field("request_id", f"a request {request_id!r} runs already")
        if len(self._requests) >= self._settings.max_requests:
            raise OverloadedError(
                f"this session runs {len(self._requests)} requests, which is all it may; wait for one to end"
            )
        if not command.HasField("request"):
            raise InvalidRequestError.at_field(f"{kind}.request", "is required; nothing was asked for")
        if not command.HasField("credit_bytes"):
            return None
        if command.credit_bytes > MAX_CREDIT_BYTES:
            raise InvalidRequestError.at_field(f"{kind}.credit_bytes", f"0 to {MAX_CREDIT_BYTES}")
        return command.credit_bytes

    def _begin(
        self,
        request_id: str,
        command: StartCommand | AppendCommand,
        asked: CompleteRequest,
        credit: int | None,
        turn: Turn | None,
    ) -> None:
        steering = Steering()
        context = replace(
            self._context,
            request_id=new_request_id(),
            traceparent=command.traceparent,
            tracestate=command.tracestate,
            steering=steering,
        )
        request = SessionRequest(Lane(request_id, credit), asked, context, steering, turn=turn, ready=self._ready)
        self._requests[request_id] = request
        request.task = self._tasks.create_task(request.answer(self._gateway))

    def _ready(self, lane: Lane) -> None:
        self._writer.add(lane, gather=len(self._requests) > 1)

    def _credit(self, command: ConverseRequest) -> None:
        if not 0 < command.credit.bytes <= MAX_CREDIT_BYTES:
            raise InvalidRequestError.at_field("credit.bytes", f"1 to {MAX_CREDIT_BYTES}")
        request = self._requests.get(command.request_id)
        if request is not None:
            request.lane.grant(command.credit.bytes)

    def _get(self, command: ConverseRequest) -> SessionRequest:
        found = self._requests.get(command.request_id)
        if found is None:
            raise NotFoundError(f"no request {command.request_id[:MAX_ID_BYTES]!r} runs in this session")
        return found

    def _stop_all(self) -> None:
        error = self._draining
        for request in self._requests.values():
            if error is not None:
                request.stop(error)

    def _abandon(self) -> None:
        """Cancels all that runs; nothing more is said."""
        for request in self._requests.values():
            if request.task is not None:
                request.task.cancel()
        self._writer.close()


def _conversation_id(command: ConverseRequest, kind: str) -> str:
    match kind:
        case "start":
            return command.start.conversation_id
        case "append":
            return command.append.conversation_id
        case "fork":
            return command.fork.new_conversation_id
        case "forget":
            return command.forget.conversation_id
        case _:
            return ""
