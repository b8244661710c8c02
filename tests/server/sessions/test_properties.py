"""Whatever clients, providers and time do, in whatever order, a session keeps its promises.

The machine acts; `Transcript` checks every response; what conversations hold is compared with a model of them.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from session_socket import SocketWire, socket_session
from session_wire import Wire, append, cancel, credit, forget, fork, session, start
from steered_gateway import Answer, SteeredGateway
from trunkline.errors import DeadlineError, ProviderUnavailableError
from trunkline.v1 import ConverseRequest, Priority, UpdateCommand
from trunkline_server.sessions.lane import MAX_WAITING_BYTES
from trunkline_server.sessions.outbox import MAX_MESSAGE_BYTES
from trunkline_server.sessions.session import Session
from trunkline_server.sessions.writer import MAX_NOTICES

NAMES = st.sampled_from(["a", "b", "c", "d", ""])
CONVERSATIONS = st.sampled_from(["k", "l", "m"])
CREDIT = st.sampled_from([None, 0, 1, 50, 5000])
WORDS = st.sampled_from([1, 10, 2000])
LARGEST = 2000 * 4 + 100
LIMITS = {"max_requests": 3, "max_conversations": 2, "max_history_bytes": 100_000, "max_total_history_bytes": 150_000}


class SessionMachine(RuleBasedStateMachine):
    """A session without a network; every rule ends when the session has come to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.gateway = SteeredGateway()
        self.wire: Wire | SocketWire
        self.ending = ""
        self.commands: list[ConverseRequest] = []
        """Those that start something."""
        self.said: dict[str, str] = {}
        """By what was asked, since no two requests ask the same."""
        self.histories: dict[str, list[str]] = {}
        """What each conversation should hold."""
        self.turns: list[tuple[str, Answer]] = []
        """The conversations of turns that run."""

    @initialize(ending=st.sampled_from(["half-close", "cut", "drain"]))
    def begin(self, ending: str) -> None:
        self.ending = ending
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        self.wire = await self.stack.enter_async_context(session(self.gateway, limits=LIMITS))
        await self._rest()

    async def _rest(self) -> None:
        for _ in range(60):
            await asyncio.sleep(0)

    def _act(self, *commands: ConverseRequest) -> None:
        self.commands += (command for command in commands if command.HasField("start") or command.HasField("append"))
        self.wire.send(*commands)
        self._settle()

    def _settle(self) -> None:
        self.loop.run_until_complete(self._rest())
        for conversation, answer in list(self.turns):
            if answer.ending:
                self.turns.remove((conversation, answer))
                self._ended(conversation, answer)

    def _ended(self, conversation: str, answer: Answer) -> None:
        """A turn is over: what its conversation should hold now."""
        history = self.histories[conversation]
        if answer.ending == "finished":
            asked = answer.request.messages[-1].parts[0].text
            said = self.said.get(asked, "")
            if self._kept(conversation) > len(history):
                history += [asked, said]
            else:
                room = LIMITS["max_history_bytes"] - self.wire.sessions.kept_bytes
                assert 3 * len(said) + 1000 > room, "what ended well is kept if there is room"
        if not history:
            del self.histories[conversation]
        assert self._kept(conversation) == len(history)

    def _kept(self, conversation: str) -> int:
        """How many messages the session has of it."""
        found = self._session()._conversations._by_id.get(conversation)
        return 0 if found is None else found.messages

    def _begun(self, count: int, conversation: str, before: list[str]) -> None:
        """Notes a turn if the command before has begun one, which must ask what the conversation held."""
        if conversation and len(self.gateway.answers) > count:
            answer = self.gateway.answers[-1]
            heard = [message.parts[0].text if message.parts else "" for message in answer.request.messages]
            assert heard[:-1] == before
            self.histories.setdefault(conversation, [])
            self.turns.append((conversation, answer))
            self._settle()

    @rule(name=NAMES, size=st.sampled_from([None, 1, 50, 5000]), conversation=st.sampled_from(["", "k", "l", "m"]))
    def start(self, name: str, size: int | None, conversation: str) -> None:
        count, known = len(self.gateway.answers), conversation in self.histories
        self._act(start(name, f"<{len(self.commands)}>", conversation=conversation, credit=size))
        if known:
            assert len(self.gateway.answers) == count, "a conversation of that name is there"
        self._begun(count, conversation, [])

    @rule(name=NAMES, size=st.sampled_from([None, 1, 50, 5000]), conversation=CONVERSATIONS)
    def append(self, name: str, size: int | None, conversation: str) -> None:
        count, before = len(self.gateway.answers), list(self.histories.get(conversation, ()))
        busy = conversation in [running for running, _ in self.turns]
        self._act(append(name, conversation, f"<{len(self.commands)}>", credit=size))
        if busy or not before:
            assert len(self.gateway.answers) == count, "there is nothing to go on with"
        self._begun(count, conversation, before)

    @rule(name=NAMES)
    def start_without_credit(self, name: str) -> None:
        self._act(start(name, f"<{len(self.commands)}>", credit=0))

    @rule(name=NAMES)
    def cancel(self, name: str) -> None:
        self._act(cancel(name))

    @rule(name=NAMES, size=st.sampled_from([0, 1, 100, 2**30, 2**63]))
    def credit(self, name: str, size: int) -> None:
        self._act(credit(name, size))

    @rule(name=NAMES)
    def update(self, name: str) -> None:
        self._act(ConverseRequest(request_id=name, update=UpdateCommand(priority=Priority.PRIORITY_HIGH)))

    @rule(name=NAMES)
    def say_nothing_that_is_known(self, name: str) -> None:
        self._act(ConverseRequest(request_id=name))

    @rule(conversation=CONVERSATIONS, new=CONVERSATIONS)
    def fork(self, conversation: str, new: str) -> None:
        room = len(self.histories) < LIMITS["max_conversations"] and new not in self.histories
        held = self.histories.get(conversation)
        self._act(fork(conversation, new))
        if room and held and self._kept(new):
            self.histories[new] = list(held)
        assert self._kept(new) == len(self.histories.get(new, ()))

    @rule(conversation=CONVERSATIONS)
    def forget(self, conversation: str) -> None:
        self._act(forget(conversation))
        self.histories.pop(conversation, None)
        self.turns = [(running, answer) for running, answer in self.turns if running != conversation]

    @precondition(lambda self: self._running())
    @rule(data=st.data(), words=WORDS)
    def provider_speaks(self, data: st.DataObject, words: int) -> None:
        answer = data.draw(st.sampled_from(self._running()))
        asked = answer.request.messages[-1].parts[0].text if answer.request.messages else answer.request.prompt
        text = asked * words
        self.said[asked] = self.said.get(asked, "") + text
        answer.say(text)
        self._settle()

    @precondition(lambda self: self._running())
    @rule(data=st.data(), how=st.sampled_from(["finishes", "fails", "is out of time"]))
    def provider_ends(self, data: st.DataObject, how: str) -> None:
        answer = data.draw(st.sampled_from(self._running()))
        match how:
            case "finishes":
                answer.finish()
            case "fails":
                answer.fail(ProviderUnavailableError("it broke"))
            case _:
                answer.stop(DeadlineError("too late"))
        self._settle()

    @rule(reads=st.booleans())
    def client_reads(self, reads: bool) -> None:
        if reads:
            self.wire.reads.set()
        else:
            self.wire.reads.clear()
        self._settle()

    def _running(self) -> list[Answer]:
        """Those whose provider has not said its last."""
        return [answer for answer in self.gateway.answers if not answer.ending and not answer.complete]

    def _session(self) -> Session:
        (found,) = self.wire.sessions._open
        return found

    @invariant()
    def memory_is_bounded(self) -> None:
        if not self.wire.sessions._open:
            return
        found = self._session()
        assert len(found._requests) <= LIMITS["max_requests"]
        for request in found._requests.values():
            assert request.lane._size <= MAX_WAITING_BYTES + LARGEST
        assert found._writer._outbox.notices <= MAX_NOTICES + 1
        assert self.wire.sessions.kept_bytes <= LIMITS["max_history_bytes"]
        assert max(self.wire.sizes, default=0) <= MAX_MESSAGE_BYTES + MAX_WAITING_BYTES + LARGEST

    def teardown(self) -> None:
        try:
            self.loop.run_until_complete(self._end())
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    async def _end(self) -> None:
        async with self.stack:
            if not self.ending:
                return  # it never began
            self.wire.reads.set()
            await self._rest()
            if self.ending == "cut":
                return
            if self.ending == "half-close":
                self.wire.half_close()
            else:
                self.wire.sessions.drain(0.5)
            assert self.wire.task is not None
            async with asyncio.timeout(30):
                while not self.wire.task.done():
                    for answer in self._running():
                        answer.finish()
                    await asyncio.sleep(0)
            await self.wire.over()
            self._check()

    def _check(self) -> None:
        transcript = self.wire.transcript
        assert transcript.running == set(), "every request has ended"
        asked = Counter(command.request_id for command in self.commands)
        refused = Counter(notice.request_id for notice in transcript.rejected if notice.command in ("start", "append"))
        begun = Counter(name for name, _ in transcript.answers)
        assert begun == asked - refused, "each was refused, or ended once"
        for _, events in transcript.answers:
            text = "".join(event.text for event in events)
            if text:
                own = text[: text.index(">") + 1]
                assert set(text.replace(own, "")) == set(), "answers do not mix"
                if events[-1].HasField("finished"):
                    assert text == self.said[own], "all that was said has come"


class SocketMachine(SessionMachine):
    """The same over gRPC on a real socket."""

    async def _open(self) -> None:
        self.wire = await self.stack.enter_async_context(socket_session(self.gateway, limits=LIMITS))
        await self._rest()

    async def _rest(self) -> None:
        if self.wire.reads.is_set() and self.wire.task is not None and not self.wire.task.done():
            await self.wire.settled()
        for _ in range(60):
            await asyncio.sleep(0)

    @rule()
    def client_reads(self) -> None:
        """What is buffered on the way is not known, so it always reads."""


SessionMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
SocketMachine.TestCase.settings = settings(
    max_examples=8, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestSession = SessionMachine.TestCase
TestSessionOverASocket = SocketMachine.TestCase
