"""What a client's commands do, whatever their order, and what it is told of it."""

import asyncio

import pytest

from scripted_gateway import Batches
from session_wire import append, cancel, credit, forget, fork, ping, session, start
from steered_gateway import SteeredGateway
from trunkline.context import CallContext
from trunkline.errors import BadKeyError, DeadlineError, OverloadedError, ProviderUnavailableError
from trunkline.secret import Secret
from trunkline.v1 import (
    CompleteRequest,
    ConverseRequest,
    Event,
    Priority,
    StartCommand,
    UpdateCommand,
)
from trunkline_server.sessions.lane import MAX_WAITING_BYTES
from trunkline_server.sessions.outbox import MAX_MESSAGE_BYTES

GIB = 1024**3


async def test_a_cut_session_ends_every_answer() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a"), start("b", credit=0), start("c"))
        (await gateway.asked(2)).say("half")
        await wire.settled()
    assert [answer.ending for answer in gateway.answers] == ["left", "left"]
    assert wire.transcript.ends() == {"c": "text"}


async def test_opened_comes_first_and_says_the_limits() -> None:
    async with session(SteeredGateway(), limits={"max_requests": 3, "max_age_s": 9}) as wire:
        transcript = await wire.settled()
    opened = transcript.responses[0].opened
    assert opened.session_id == "s"
    assert (opened.limits.max_requests, opened.limits.max_age_ms) == (3, 9000)


async def test_answers_interleave_and_end_each_on_its_own() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a"), start("b"))
        b, a = await gateway.asked(2), gateway.answers[0]
        a.say("one ")
        await wire.settled()
        b.say("eins ")
        await wire.settled()
        a.fail(ProviderUnavailableError("it broke"))
        b.say("zwei")
        b.finish()
        transcript = await wire.ended("a", "b")
        assert transcript.text("b") == "eins zwei"
        assert transcript.ends() == {"a": "failed", "b": "finished"}
        assert transcript.failure("a") == "it broke"
        wire.send(start("a"))
        (await gateway.asked(3)).finish()
        await wire.until(lambda: len(transcript.answers) == 3 and not transcript.running)
    assert [name for name, _ in transcript.answers] == ["a", "b", "a"]


@pytest.mark.parametrize("gathers", [True, False])
async def test_what_is_ready_within_the_window_leaves_in_one_message(gathers: bool) -> None:
    gateway = SteeredGateway()
    async with session(gateway, limits={"window_ms": 2 if gathers else 0}) as wire:
        wire.send(*(start(name) for name in "abcde"))
        await gateway.asked(5)
        for answer in gateway.answers:
            answer.say("x")
            await asyncio.sleep(0)
        await wire.until(lambda: len(wire.transcript.answers) == 5)
    with_events = [len(response.batches) for response in wire.transcript.responses if response.batches]
    assert (with_events == [5]) == gathers


async def test_a_notice_takes_along_what_waits_for_the_window() -> None:
    gateway = SteeredGateway()
    async with session(gateway, limits={"window_ms": 2}) as wire:
        wire.send(start("a"), start("b"))
        (await gateway.asked(2)).say("x")
        await wire.settled()
        await wire.until(lambda: bool(wire.transcript.answers))
        await asyncio.sleep(0.004)  # the window closes with nothing in it
        gateway.answers[0].say("y")
        await wire.until(lambda: len(wire.transcript.answers) == 2)


async def test_a_refused_request_fails_and_the_session_goes_on() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        await wire.settled()
        gateway._key = "only this"
        wire.send(start("a"))
        transcript = await wire.ended("a")
        gateway._key = ""
        wire.send(start("b"))
        (await gateway.asked(1)).finish()
        await wire.ended("b")
    assert transcript.failure("a") == "no such key"
    assert transcript.ends()["b"] == "finished"


async def test_a_key_that_is_not_known_opens_no_session() -> None:
    async with session(SteeredGateway(key="k"), context=CallContext(credential=Secret("other"))) as wire:
        assert wire.task is not None
        with pytest.raises(BadKeyError):
            await wire.task
    assert wire.transcript.responses == []


async def test_every_request_carries_the_callers_key_and_a_trace_of_its_own() -> None:
    gateway = SteeredGateway()
    caller = CallContext(
        request_id="s", credential=Secret("k"), idempotency_key="once", traceparent="session's", client_address="::1"
    )
    traced = StartCommand(request=CompleteRequest(model="m"), traceparent="a's", tracestate="x=y")
    async with session(gateway, context=caller) as wire:
        wire.send(ConverseRequest(request_id="a", start=traced), start("b"))
        await gateway.asked(2)
    contexts = [answer.context for answer in gateway.answers]
    assert [context.credential.reveal() for context in contexts] == ["k", "k"]
    assert [context.client_address for context in contexts] == ["::1", "::1"]
    assert [(context.traceparent, context.tracestate) for context in contexts] == [("a's", "x=y"), ("", "")]
    assert [context.idempotency_key for context in contexts] == ["", ""]
    assert len({"s", *(context.request_id for context in contexts)}) == 3


# Commands that are refused while request "a" and a first turn "t" of conversation "k" run, and how.
REFUSED = {
    "no command": (ConverseRequest(request_id="x"), "command: is required"),
    "start, id in use": (start("a"), "request_id: a request 'a' runs already"),
    "append, id in use": (append("a", "k"), "request_id: a request 'a' runs already"),
    "start without id": (start(""), "request_id: 1 to 64 bytes"),
    "start, long id": (start("ä" * 33), "request_id: 1 to 64 bytes"),
    "start without request": (
        ConverseRequest(request_id="x", start=StartCommand(conversation_id="n")),
        "start.request: is required",
    ),
    "start, conversation in use": (start("x", conversation="k"), "there is a conversation 'k' already"),
    "start, long conversation": (start("x", conversation="k" * 129), "start.conversation_id: 1 to 128 bytes"),
    "start, huge credit": (start("x", credit=GIB + 1), "start.credit_bytes: 0 to 1073741824"),
    "append, unknown": (append("x", "n"), "there is no conversation 'n'"),
    "append, busy": (append("x", "k"), "a turn of 'k' still runs"),
    "cancel, unknown": (cancel("x"), "no request 'x' runs"),
    "cancel, huge id": (cancel("x" * 100_000), "no request 'xxxxx"),
    "update, unknown": (
        ConverseRequest(request_id="x", update=UpdateCommand(priority=Priority.PRIORITY_HIGH)),
        "no request 'x' runs",
    ),
    "credit, none": (credit("a", 0), "credit.bytes: 1 to 1073741824"),
    "credit, negative": (credit("a", 2**64 - 5), "credit.bytes: 1 to 1073741824"),
    "credit, huge": (credit("a", GIB + 1), "credit.bytes: 1 to 1073741824"),
    "fork, unknown": (fork("n", "m"), "there is no conversation 'n'"),
    "fork, first turn runs": (fork("k", "m"), "the first turn of 'k' has not ended"),
    "forget, unknown": (forget("n"), "there is no conversation 'n'"),
    "start, too many": (start("x"), "runs 2 requests, which is all it may"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_command_that_is_refused_changes_nothing(what: str) -> None:
    command, why = REFUSED[what]
    gateway = SteeredGateway()
    async with session(gateway, limits={"max_requests": 2 if "too many" in what else 3}) as wire:
        wire.send(start("a"), start("t", conversation="k"), command)
        await gateway.asked(2)
        transcript = await wire.settled()
        (notice,) = transcript.rejected
        for answer in gateway.answers:
            answer.say("well")
            answer.finish()
        await wire.ended("a", "t")
    assert notice.failure.message.find(why) >= 0, notice.failure.message
    assert notice.failure.code
    assert notice.failure.reason
    assert notice.request_id == command.request_id[:64]
    assert notice.command == (command.WhichOneof("command") or "")
    assert transcript.ends() == {"a": "finished", "t": "finished"}
    assert transcript.text("a") == transcript.text("t") == "well"
    assert [(state.id, state.messages, state.kept) for state in transcript.conversations] == [("k", 2, True)]
    assert len(gateway.answers) == 2


async def test_credit_for_a_request_that_is_not_there_is_ignored() -> None:
    async with session(SteeredGateway()) as wire:
        wire.send(credit("gone", 5))
        assert (await wire.settled()).rejected == []


async def test_a_cancelled_request_ends_as_the_gateway_says_and_others_run_on() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a"), start("b"))
        await gateway.asked(2)
        gateway.answers[0].say("half")
        await wire.settled()
        wire.send(cancel("a"), cancel("a"))
        transcript = await wire.ended("a")
        gateway.answers[1].finish()
        await wire.ended("b")
    assert [answer.ending for answer in gateway.answers] == ["failed", "finished"]
    assert transcript.failure("a") == "the client cancelled the request"
    assert transcript.ends()["b"] == "finished"


@pytest.mark.parametrize("size", [0, 1])
async def test_a_cancelled_request_that_is_held_ends_at_once(size: int) -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", credit=size))
        if size:
            (await gateway.asked(1)).say("more than a byte")
        await wire.settled()
        wire.send(cancel("a"))
        transcript = await wire.ended("a")
    assert transcript.failure("a") == "the client cancelled the request"
    assert [answer.ending for answer in gateway.answers] == ["failed"] * size


async def test_cancel_reaches_a_gateway_that_cannot_be_steered() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a"))
        answer = await gateway.asked(1)
        assert answer.context.steering is not None
        answer.context.steering.attach(None)
        wire.send(cancel("a"))
        transcript = await wire.ended("a")
    assert transcript.failure("a") == "the client cancelled the request"
    assert answer.ending == "left"


async def test_a_request_that_is_held_when_its_time_is_up_ends_with_what_it_still_has() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", credit=1))
        answer = await gateway.asked(1)
        answer.say("more than a byte")
        await wire.settled()
        answer.stop(DeadlineError("too late"))
        transcript = await wire.ended("a")
    assert transcript.failure("a") == "too late"


async def test_a_new_priority_reaches_the_request() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a"))
        steering = (await gateway.asked(1)).context.steering
        assert steering is not None
        wire.send(ConverseRequest(request_id="a", update=UpdateCommand(priority=Priority.PRIORITY_HIGH)))
        await wire.settled()
        assert steering.priority == Priority.PRIORITY_HIGH
        wire.send(ConverseRequest(request_id="a", update=UpdateCommand()))
        await wire.settled()
    assert steering.priority == Priority.PRIORITY_HIGH


async def test_a_request_is_read_no_further_than_its_credit_and_others_are_not_held_up() -> None:
    gateway = SteeredGateway()
    piece = Event(text="x" * 100).ByteSize()
    async with session(gateway) as wire:
        wire.send(start("a", credit=2 * piece), start("b"))
        await gateway.asked(2)
        a, b = gateway.answers
        for _ in range(9):
            a.say("x" * 100)
            b.say("y" * 100)
        transcript = await wire.settled()
        # The opening costs a little, so that the second piece overdraws it.
        assert (len(transcript.text("a")), a.pulls) == (200, 2)
        assert len(transcript.text("b")) == 900
        wire.send(credit("a", 1))
        await wire.settled()
        assert a.pulls == 2
        wire.send(credit("a", 2 * piece))
        await wire.settled()
        assert len(transcript.text("a")) == 400
        a.finish()
        wire.send(credit("a", GIB), credit("a", GIB))
        await wire.ended("a")
    assert len(transcript.text("a")) == 900


async def test_the_end_costs_nothing() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", credit=1))
        (await gateway.asked(1)).finish()
        assert (await wire.ended("a")).ends() == {"a": "finished"}


async def test_without_credit_a_request_does_not_begin() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", credit=0))
        await wire.settled()
        assert gateway.answers == []
        wire.send(credit("a", 1))
        (await gateway.asked(1)).finish()
        await wire.ended("a")


async def test_half_closing_lets_everything_finish_whatever_its_credit() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a"), start("b", credit=0), start("c", credit=1))
        await gateway.asked(2)
        gateway.answers[1].say("held after this")
        wire.half_close()
        await gateway.asked(3)
        for answer in gateway.answers:
            answer.say("and more")
            answer.finish()
        await wire.over()
    assert wire.transcript.ends() == {"a": "finished", "b": "finished", "c": "finished"}


async def test_half_closing_an_idle_session_ends_it() -> None:
    async with session(SteeredGateway()) as wire:
        wire.half_close()
        await wire.over()
    assert len(wire.transcript.responses) == 1


async def test_a_client_that_does_not_read_holds_everything() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        await wire.settled()
        wire.reads.clear()
        wire.send(*(start(str(number)) for number in range(20)))
        await gateway.asked(20)
        for answer in gateway.answers:
            for _ in range(100):
                answer.say("x" * 1000)
        for _ in range(200):
            await asyncio.sleep(0)
        pulls = sum(answer.pulls for answer in gateway.answers)
        wire.reads.set()
        await wire.until(lambda: sum(map(len, wire.transcript.texts())) == 20 * 100_000)
    # What each may have waiting, and what is in the message that is being written.
    assert pulls * 1000 <= 20 * (MAX_WAITING_BYTES + 1000) + MAX_MESSAGE_BYTES + MAX_WAITING_BYTES + 1000


async def test_a_client_that_takes_nothing_for_too_long_loses_its_session() -> None:
    gateway = SteeredGateway()
    async with session(gateway, stall_s=0.05) as wire:
        wire.reads.clear()
        wire.send(start("a"))
        await gateway.asked(1)
        assert wire.task is not None
        with pytest.raises(DeadlineError, match=r"took nothing of the session for 0\.05 s"):
            await wire.task
    assert gateway.answers[0].ending == "left"


async def test_commands_are_not_read_while_what_they_were_refused_for_is_not() -> None:
    async with session(SteeredGateway()) as wire:
        await wire.settled()
        wire.reads.clear()
        wire.send(*(cancel("x") for _ in range(1000)))
        for _ in range(2000):
            await asyncio.sleep(0)
        assert wire._commands.qsize() >= 1000 - 66
        wire.reads.set()
        await wire.until(lambda: len(wire.transcript.rejected) == 1000)


async def test_messages_stay_small_and_every_request_gets_its_turn() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        await wire.settled()
        wire.reads.clear()
        wire.send(*(start(str(number)) for number in range(100)))
        await gateway.asked(100)
        for answer in gateway.answers:
            answer.say("x" * 5000)
            answer.finish()
        for _ in range(10):
            await asyncio.sleep(0)
        wire.reads.set()
        await wire.ended(*map(str, range(100)))
    assert max(wire.sizes) < MAX_MESSAGE_BYTES + 6000
    # Nobody is served twice before everybody was served once.
    first = [batch.request_id for response in wire.transcript.responses for batch in response.batches][:100]
    assert len(set(first)) == 100


async def test_a_draining_session_takes_nothing_more_on_and_ends_when_nothing_runs() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", conversation="k"))
        await gateway.asked(1)
        wire.sessions.drain(30)
        wire.send(start("b"), append("c", "k"), ping(5))
        transcript = await wire.settled()
        gateway.answers[0].finish()
        await wire.over()
    draining = [response.draining for response in transcript.responses if response.HasField("draining")]
    assert [notice.remaining_ms for notice in draining] == [29500]
    assert [notice.failure.message for notice in transcript.rejected] == [
        "the gateway is shutting down; ask again in a new session"
    ] * 2
    assert transcript.ends() == {"a": "finished"}


async def test_draining_ends_an_idle_session_at_once() -> None:
    async with session(SteeredGateway()) as wire:
        await wire.settled()
        wire.sessions.drain(30)
        await wire.over()


async def test_a_session_whose_client_has_left_may_be_drained_while_it_ends() -> None:
    """Whatever step its end is at: it has nothing to say any more."""
    for steps in range(8):
        gateway = SteeredGateway()
        async with session(gateway) as wire:
            wire.send(start("a"))
            await gateway.asked(1)
            await wire.settled()
            assert wire.task is not None
            wire.task.cancel()
            for _ in range(steps):
                await asyncio.sleep(0)
            wire.sessions.drain(30)
            with pytest.raises(asyncio.CancelledError):
                await wire.task


async def test_what_time_runs_out_on_fails_and_the_session_ends_well() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a"), start("b", credit=0))
        await gateway.asked(1)
        await wire.settled()
        wire.sessions.drain(30)
        wire.sessions.drain(0)
        await wire.over()
    assert wire.transcript.ends() == {"a": "failed", "b": "failed"}
    assert wire.transcript.failure("b") == "the gateway is shutting down; ask again in a new session"


async def test_a_session_that_is_too_old_ends() -> None:
    gateway = SteeredGateway()
    async with session(gateway, limits={"max_age_s": 0.05}) as wire:
        wire.send(start("a"))
        await wire.over()
    assert wire.transcript.failure("a") == "the session has lasted as long as it may; ask again in a new one"
    assert [round(response.draining.remaining_ms) for response in wire.transcript.responses[1:2]] == [5]


async def test_there_are_no_more_sessions_than_allowed() -> None:
    async with session(SteeredGateway(), limits={"max_sessions": 1}) as wire:
        await wire.settled()
        with pytest.raises(OverloadedError, match="holds 1 sessions"):
            await wire.sessions.converse(CallContext(), wire.read, wire.write)


async def test_a_defect_of_the_gateway_fails_its_request_alone() -> None:
    class Broken(SteeredGateway):
        def stream(self, request: CompleteRequest, context: CallContext) -> Batches:
            if request.prompt == "break":
                raise RuntimeError("a prompt that no log shows")
            return super().stream(request, context)

    gateway = Broken()
    async with session(gateway) as wire:
        wire.send(start("a", "break"), start("b"))
        (await gateway.asked(1)).finish()
        transcript = await wire.ended("a", "b")
    assert transcript.failure("a") == "the gateway failed; its log says more under this request's id"
    assert transcript.ends()["b"] == "finished"
