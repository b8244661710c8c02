"""What a conversation holds after its turns, and how much of it may be kept."""

import pytest

from session_wire import append, cancel, forget, fork, session, start
from steered_gateway import SteeredGateway
from trunkline.errors import OverloadedError, ProviderUnavailableError
from trunkline.v1 import (
    AppendCommand,
    CompleteRequest,
    ConverseRequest,
    Event,
    Message,
    Part,
    Role,
    Routing,
    StartCommand,
    StateKind,
    StreamCompleteResponse,
    Tool,
)
from trunkline_server.sessions.conversation import Conversations
from trunkline_server.sessions.room import Room


def said(request: CompleteRequest) -> list[tuple[str, str]]:
    """Who said what."""
    return [(Role.Name(message.role)[5:], message.parts[0].text) for message in request.messages]


async def test_a_turn_that_fails_leaves_no_trace() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", "one", conversation="k"))
        (await gateway.asked(1)).say("eins")
        gateway.answers[0].finish()
        await wire.ended("a")
        wire.send(append("b", "k", "two"))
        (await gateway.asked(2)).say("half of zwei")
        gateway.answers[1].fail(ProviderUnavailableError("it broke"))
        await wire.ended("b")
        wire.send(append("c", "k", "three"))
        (await gateway.asked(3)).say("half of drei")
        await wire.settled()
        wire.send(cancel("c"))
        await wire.ended("c")
        wire.send(append("d", "k", "four"))
        (await gateway.asked(4)).finish()
        transcript = await wire.ended("d")
    assert said(gateway.answers[3].request) == [("USER", "one"), ("ASSISTANT", "eins"), ("USER", "four")]
    assert [(state.messages, state.kept) for state in transcript.conversations] == [
        (2, True),
        (2, False),
        (2, False),
        (4, True),
    ]


async def test_one_that_fails_as_the_first_leaves_no_conversation() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", conversation="k"))
        (await gateway.asked(1)).fail(ProviderUnavailableError("it broke"))
        await wire.ended("a")
        wire.send(append("b", "k"), start("c", conversation="k"))
        (await gateway.asked(2)).finish()
        transcript = await wire.ended("c")
    assert [notice.request_id for notice in transcript.rejected] == ["b"]
    assert [(state.messages, state.kept) for state in transcript.conversations] == [(0, False), (2, True)]


async def test_an_answer_is_kept_with_what_its_provider_wants_back() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", "think", conversation="k"))
        answer = await gateway.asked(1)
        opened, signed, called = Event(), Event(), Event(part=1)
        opened.part_started.reasoning.SetInParent()
        signed.part_done.state.kind = StateKind.STATE_KIND_ANTHROPIC_SIGNATURE
        signed.part_done.state.data = b"\x00signature\xff"
        called.part_started.tool_call.id = "call_1"
        called.part_started.tool_call.name = "look_up"
        answer._add([opened, Event(reasoning="hm"), signed, called, Event(part=1, arguments='{"a": 1.0}')])
        answer.finish()
        await wire.ended("a")
        result = Message(role=Role.ROLE_TOOL)
        result.parts.add().tool_result.call_id = "call_1"
        command = AppendCommand(conversation_id="k", request=CompleteRequest(messages=[result]))
        wire.send(ConverseRequest(request_id="b", append=command))
        asked = (await gateway.asked(2)).request
    reasoning, call = asked.messages[1].parts
    assert (reasoning.reasoning.text, reasoning.state.data) == ("hm", b"\x00signature\xff")
    assert (call.tool_call.name, call.tool_call.arguments) == ("look_up", '{"a": 1.0}')
    assert asked.messages[2] == result


async def test_what_a_turn_sets_holds_for_later_ones_but_not_its_routing() -> None:
    gateway = SteeredGateway()
    first = CompleteRequest(
        model="m",
        prompt="one",
        temperature=0.5,
        tools=[Tool(name="t")],
        routing=Routing(timeout_ms=5),
        idempotency_key="x",
    )
    second = CompleteRequest(model="n", prompt="two", tools=[Tool(name="u")])
    third = CompleteRequest(prompt="three")
    async with session(gateway) as wire:
        wire.send(ConverseRequest(request_id="a", start=StartCommand(request=first, conversation_id="k")))
        (await gateway.asked(1)).finish()
        await wire.ended("a")
        for name, request in (("b", second), ("c", third)):
            command = AppendCommand(conversation_id="k", request=request)
            wire.send(ConverseRequest(request_id=name, append=command))
            (await gateway.asked(len(gateway.answers) + 1)).finish()
            await wire.ended(name)
    requests = [answer.request for answer in gateway.answers]
    assert [request.model for request in requests] == ["m", "n", "n"]
    assert [request.temperature for request in requests] == [0.5] * 3
    assert [[tool.name for tool in request.tools] for request in requests] == [["t"], ["u"], ["u"]]
    assert [request.HasField("routing") for request in requests] == [True, False, False]
    assert [request.idempotency_key for request in requests] == ["x", "", ""]


async def test_a_fork_goes_its_own_way() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", "one", conversation="k"))
        (await gateway.asked(1)).finish()
        await wire.ended("a")
        wire.send(append("b", "k", "two"), fork("k", "l"), append("c", "l", "deux"))
        for answer in (await gateway.asked(2), await gateway.asked(3)):
            answer.finish()
        transcript = await wire.ended("b", "c")
    assert [said(answer.request)[-1] for answer in gateway.answers[1:]] == [("USER", "two"), ("USER", "deux")]
    assert {(state.id, state.messages) for state in transcript.conversations} == {("k", 2), ("k", 4), ("l", 4)}
    assert transcript.rejected == []


async def test_a_conversation_that_is_forgotten_while_a_turn_runs_is_not_kept() -> None:
    gateway = SteeredGateway()
    async with session(gateway) as wire:
        wire.send(start("a", "one", conversation="k"))
        await gateway.asked(1)
        wire.send(forget("k"), start("b", "other", conversation="k"))
        for answer in (await gateway.asked(1), await gateway.asked(2)):
            answer.say("well")
            answer.finish()
        transcript = await wire.ended("a", "b")
        assert transcript.rejected == []
        assert {(state.messages, state.kept) for state in transcript.conversations} == {(0, False), (2, True)}
        wire.send(append("c", "k", "more"))
        asked = (await gateway.asked(3)).request
    assert said(asked) == [("USER", "other"), ("ASSISTANT", "well"), ("USER", "more")]


async def test_no_more_conversations_are_kept_than_allowed() -> None:
    gateway = SteeredGateway()
    async with session(gateway, limits={"max_conversations": 1}) as wire:
        wire.send(start("a", conversation="k"), start("b", conversation="l"), start("c"))
        await gateway.asked(2)
        transcript = await wire.settled()
        gateway.answers[0].finish()
        await wire.ended("a")
        wire.send(fork("k", "l"), forget("k"), start("d", conversation="l"))
        await gateway.asked(3)
        await wire.settled()
    assert [(notice.request_id, notice.command) for notice in transcript.rejected] == [("b", "start"), ("", "fork")]


async def test_no_more_bytes_are_kept_than_allowed() -> None:
    gateway = SteeredGateway()
    async with session(gateway, limits={"max_history_bytes": 1000}) as wire:
        wire.send(start("a", "x" * 600, conversation="k"), start("b", "x" * 600, conversation="l"))
        (await gateway.asked(1)).say("y" * 500)
        gateway.answers[0].finish()
        transcript = await wire.ended("a")
        assert [notice.request_id for notice in transcript.rejected] == ["b"]
        assert [state.kept for state in transcript.conversations] == [False]
        assert transcript.text("a") == "y" * 500
        wire.send(start("c", "x" * 600, conversation="l"))
        (await gateway.asked(2)).finish()
        await wire.ended("c")
        assert 600 < wire.sessions.kept_bytes == transcript.conversations[-1].bytes < 700


async def test_sessions_share_what_the_gateway_keeps() -> None:
    whole = Room(100)
    first, second = (Conversations(Room(80, whole), max_conversations=9) for _ in range(2))
    request = CompleteRequest(prompt="x" * 60)
    turn = first.start("k", request)
    with pytest.raises(OverloadedError, match="all sessions have as many bytes"):
        second.start("k", request)
    with pytest.raises(OverloadedError, match="this session have"):
        first.start("l", request)
    turn.end(well=False)
    assert whole.used == 0
    second.start("k", request)


async def test_what_is_kept_is_what_counts() -> None:
    """Whatever the turns did, the room taken is the sum of what is kept."""
    whole = Room(10_000)
    found = Conversations(Room(10_000, whole), max_conversations=9)
    batch = StreamCompleteResponse(events=[Event(part_started=Part(text="")), Event(text="y" * 50)])
    turn = found.start("k", CompleteRequest(prompt="x"))
    turn.add(batch, batch.ByteSize())
    state = turn.end(well=True)
    assert whole.used == state.bytes
    found.fork("k", "l")
    assert whole.used == 2 * state.bytes
    turn = found.append("l", CompleteRequest(prompt="x", stop=["a"]))
    assert turn.end(well=False).bytes == state.bytes
    found.forget("k")
    assert whole.used == state.bytes
    found.forget("l")
    assert whole.used == 0
