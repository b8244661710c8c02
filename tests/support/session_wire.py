"""A session without a network between: a test writes commands, and what comes back is checked against the contract."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from trunkline.context import CallContext
from trunkline.gateway import Gateway
from trunkline.v1 import (
    AppendCommand,
    CancelCommand,
    CompleteRequest,
    ConversationState,
    ConverseRequest,
    ConverseResponse,
    CreditCommand,
    Event,
    ForgetCommand,
    ForkCommand,
    PingCommand,
    RejectedNotice,
    StartCommand,
)
from trunkline_server.config.settings import SessionSettings
from trunkline_server.sessions.sessions import Sessions

STALL_S = 60.0
ENDS = frozenset({"finished", "failed"})


def start(name: str, prompt: str = "p", *, conversation: str = "", credit: int | None = None) -> ConverseRequest:
    """A request of model "m"."""
    command = StartCommand(
        request=CompleteRequest(model="m", prompt=prompt), conversation_id=conversation, credit_bytes=credit
    )
    return ConverseRequest(request_id=name, start=command)


def append(name: str, conversation: str, prompt: str = "p", *, credit: int | None = None) -> ConverseRequest:
    """A turn that says one thing more."""
    command = AppendCommand(request=CompleteRequest(prompt=prompt), conversation_id=conversation, credit_bytes=credit)
    return ConverseRequest(request_id=name, append=command)


def cancel(name: str) -> ConverseRequest:
    return ConverseRequest(request_id=name, cancel=CancelCommand())


def credit(name: str, size: int) -> ConverseRequest:
    return ConverseRequest(request_id=name, credit=CreditCommand(bytes=size))


def ping(token: int) -> ConverseRequest:
    return ConverseRequest(ping=PingCommand(token=token))


def fork(conversation: str, new: str) -> ConverseRequest:
    return ConverseRequest(fork=ForkCommand(conversation_id=conversation, new_conversation_id=new))


def forget(conversation: str) -> ConverseRequest:
    return ConverseRequest(forget=ForgetCommand(conversation_id=conversation))


@dataclass
class Transcript:
    """Every response of one session, held against what the contract promises of any."""

    responses: list[ConverseResponse] = field(default_factory=list)
    answers: list[tuple[str, list[Event]]] = field(default_factory=list)
    """The request's id and its events, in the order in which requests began."""
    conversations: list[ConversationState] = field(default_factory=list)
    _open: dict[str, list[Event]] = field(default_factory=dict)

    def add(self, response: ConverseResponse) -> None:
        """The next one."""
        self.responses.append(response)
        assert response.sequence == len(self.responses), "numbers have no gap"
        assert (response.WhichOneof("notice") is None) == bool(response.batches), "events or a notice"
        assert (len(self.responses) == 1) == response.HasField("opened"), "opened comes first, and once"
        names = [batch.request_id for batch in response.batches]
        assert len(names) == len(set(names)), "no request twice in a response"
        for batch in response.batches:
            events = self._open.get(batch.request_id)
            if events is None:
                events = self._open[batch.request_id] = []
                self.answers.append((batch.request_id, events))
            assert batch.events, "no empty batch"
            assert batch.first_event == len(events) + 1, "events are numbered without a gap"
            events += batch.events
            assert not [event for event in events[:-1] if event.WhichOneof("kind") in ENDS], "nothing after the end"
            if events[-1].WhichOneof("kind") in ENDS:
                del self._open[batch.request_id]
            if batch.HasField("conversation"):
                assert events[-1].WhichOneof("kind") in ENDS, "a conversation's state comes with the end"
                self.conversations.append(batch.conversation)

    @property
    def rejected(self) -> list[RejectedNotice]:
        """All commands that were refused."""
        return [response.rejected for response in self.responses if response.HasField("rejected")]

    @property
    def pongs(self) -> list[int]:
        """The tokens that came back."""
        return [response.pong.token for response in self.responses if response.HasField("pong")]

    @property
    def running(self) -> set[str]:
        """Requests that have begun and not ended."""
        return set(self._open)

    def ends(self) -> dict[str, str]:
        """How each request ended, by its id; of several with the same id the last."""
        return {name: str(events[-1].WhichOneof("kind")) for name, events in self.answers}

    def text(self, name: str) -> str:
        """What the last request of that id was answered."""
        return "".join(event.text for event in dict(self.answers)[name])

    def texts(self) -> list[str]:
        """Of all requests, in the order in which they began."""
        return ["".join(event.text for event in events) for _, events in self.answers]

    def failure(self, name: str) -> str:
        """The message of the failure with which it ended."""
        return dict(self.answers)[name][-1].failed.failure.message


class Wire:
    """The client's end of a session."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.transcript = Transcript()
        self.sizes: list[int] = []
        """Of the responses."""
        self.reads = asyncio.Event()
        """Cleared: the client takes nothing."""
        self.reads.set()
        self._commands: asyncio.Queue[ConverseRequest | None] = asyncio.Queue()
        self._changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def send(self, *commands: ConverseRequest) -> None:
        for command in commands:
            self._commands.put_nowait(command)

    def half_close(self) -> None:
        self._commands.put_nowait(None)

    async def read(self) -> ConverseRequest | None:
        """For the session."""
        return await self._commands.get()

    async def write(self, data: bytes) -> None:
        """For the session."""
        await self.reads.wait()
        self.sizes.append(len(data))
        self.transcript.add(ConverseResponse.FromString(data))
        self.changed()

    async def settled(self) -> Transcript:
        """What has come once all that was sent has been looked at and answered as far as it can be."""
        token = len(self.transcript.responses) + 1
        self.send(ping(token))
        await self.until(lambda: token in self.transcript.pongs)
        # What is gathered for a moment leaves with the next turns of the loop.
        for _ in range(20):
            await asyncio.sleep(0)
        return self.transcript

    async def until(self, claim: Callable[[], bool]) -> None:
        """Waits for responses until the claim holds."""
        async with asyncio.timeout(5):
            while not claim():
                assert self.task is None or not self.task.done(), "the session is over"
                self._changed.clear()
                await self._changed.wait()

    def changed(self) -> None:
        """Wakes who waits for responses."""
        self._changed.set()

    async def over(self) -> None:
        """Waits for the end of the session, which must be a good one."""
        assert self.task is not None
        await self.task

    async def ended(self, *names: str) -> Transcript:
        """Waits until these requests have ended."""
        await self.until(lambda: set(names) <= set(self.transcript.ends()) - self.transcript.running)
        return self.transcript


@asynccontextmanager
async def session(
    gateway: Gateway,
    *,
    stall_s: float = STALL_S,
    context: CallContext | None = None,
    limits: Mapping[str, float] = MappingProxyType({}),
) -> AsyncIterator[Wire]:
    """A session on this gateway; whatever becomes of it, nothing may be left of it afterwards.

    Events are not gathered, unless `limits` say so.
    """
    settings = SessionSettings.model_validate({"window_ms": 0, **limits})
    before = asyncio.all_tasks()
    wire = Wire(Sessions(gateway, settings, write_stall_s=stall_s))
    wire.task = asyncio.create_task(
        wire.sessions.converse(context or CallContext(request_id="s"), wire.read, wire.write)
    )
    try:
        yield wire
    finally:
        wire.task.cancel()
        await asyncio.wait((wire.task,))
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}, "no task is left"
    assert len(wire.sessions) == 0
    assert wire.sessions.kept_bytes == 0, "all room for conversations is given back"
