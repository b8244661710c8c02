"""Thinking that led to calls is put back where clients dropped it: whole, in its place, and for its own project only."""

import pytest

from trunkline.v1 import (
    CompleteRequest,
    Event,
    FinishedEvent,
    Message,
    Part,
    Phase,
    ProviderState,
    Reasoning,
    Role,
    StartedEvent,
    StateKind,
    StreamCompleteResponse,
    Tool,
    ToolCall,
    ToolResult,
)
from trunkline_server.cache.reasoning_store import ReasoningStore
from trunkline_server.values.principal import Principal

ALICE = Principal(key="a", project="one")
BOB = Principal(key="b", project="two")
SIGNATURE = ProviderState(
    kind=StateKind.STATE_KIND_ANTHROPIC_SIGNATURE, data=b"\x00sig", provider="anthropic", model="claude"
)
PLAIN = ProviderState(kind=StateKind.STATE_KIND_PLAIN_TEXT, provider="deepseek", model="v4")
SIGNED_CALL = ProviderState(kind=StateKind.STATE_KIND_GEMINI_THOUGHT_SIGNATURE, data=b"g")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def store(max_bytes: int = 100_000, clock: Clock | None = None) -> ReasoningStore:
    return ReasoningStore(max_bytes=max_bytes, ttl_s=60, clock=clock or Clock())


def call(call_id: str, arguments: str = "{}", state: ProviderState | None = None) -> Part:
    return Part(tool_call=ToolCall(id=call_id, name="f", arguments=arguments), state=state)


def thought(text: str = "Hm", state: ProviderState = SIGNATURE) -> Part:
    return Part(reasoning=Reasoning(text=text), state=state)


def assistant(*parts: Part) -> Message:
    return Message(role=Role.ROLE_ASSISTANT, parts=parts)


def asks(*earlier: Message) -> CompleteRequest:
    user = Message(role=Role.ROLE_USER, parts=[Part(text="Go")])
    result = Message(role=Role.ROLE_TOOL, parts=[Part(tool_result=ToolResult(call_id="c1"))])
    return CompleteRequest(model="m", messages=[user, *earlier, result], tools=[Tool()])


def recalled(held: ReasoningStore, message: Message, principal: Principal = ALICE) -> Message:
    request = asks(message)
    before = request.SerializeToString(deterministic=True)
    completed, notes = held.recall(request, principal)
    assert request.SerializeToString(deterministic=True) == before
    assert [note.field for note in notes] == ([] if completed is request else ["messages[1].parts"])
    return completed.messages[1]


SAID = [
    thought("One"),
    Part(text="So", phase=Phase.PHASE_COMMENTARY),
    thought("Two"),
    call("c1", '{"a": 1}', SIGNED_CALL),
    call("c2"),
]


def test_a_turn_comes_back_as_it_was() -> None:
    held = store()
    held.keep(assistant(*SAID), ALICE)
    sent_back = assistant(Part(text="So"), call("c1", '{"a": 1}'), call("c2"))
    assert recalled(held, sent_back) == assistant(*SAID)


def test_what_the_client_has_changed_stays_changed() -> None:
    held = store()
    held.keep(assistant(*SAID), ALICE)
    edited = assistant(Part(text="Edited"), call("c1", '{"a":1}'), call("c3"))
    text, first = Part(text="Edited", phase=Phase.PHASE_COMMENTARY), call("c1", '{"a":1}', SIGNED_CALL)
    assert recalled(held, edited) == assistant(SAID[0], text, SAID[2], first, call("c3"))


def test_words_that_the_client_puts_before_calls_keep_their_place() -> None:
    held = store()
    held.keep(assistant(thought(), call("c1")), ALICE)
    assert recalled(held, assistant(Part(text="New"), call("c1"))) == assistant(thought(), Part(text="New"), call("c1"))


def test_a_signature_on_an_empty_text_comes_back() -> None:
    held = store()
    empty = Part(text="", state=SIGNED_CALL)
    held.keep(assistant(call("c1"), empty), ALICE)
    assert recalled(held, assistant(call("c1"))) == assistant(call("c1"), empty)


def test_another_project_gets_nothing() -> None:
    held = store()
    held.keep(assistant(*SAID), ALICE)
    assert recalled(held, assistant(call("c1")), BOB) == assistant(call("c1"))


def test_keys_without_a_project_are_apart() -> None:
    held = store()
    held.keep(assistant(*SAID), Principal(key="x"))
    assert recalled(held, assistant(call("c1")), Principal(key="y")) == assistant(call("c1"))
    assert recalled(held, assistant(call("c1")), Principal(key="x")) != assistant(call("c1"))


def test_state_that_the_client_sends_is_left_alone() -> None:
    held = store()
    held.keep(assistant(*SAID), ALICE)
    own = assistant(thought("Mine"), call("c1"))
    assert recalled(held, own) == own


def test_words_alone_are_no_state_where_a_signature_is_known() -> None:
    held = store()
    held.keep(assistant(thought(), call("c1")), ALICE)
    words = assistant(thought(state=ProviderState(kind=StateKind.STATE_KIND_PLAIN_TEXT)), call("c1"))
    assert recalled(held, words) == assistant(thought(), call("c1"))


def test_plain_thinking_that_the_client_sends_is_its_own() -> None:
    held = store()
    held.keep(assistant(thought("Hm", PLAIN), call("c1")), ALICE)
    edited = assistant(thought("Hm, edited", PLAIN), call("c1"))
    assert recalled(held, edited) == edited
    assert recalled(held, assistant(call("c1"))) == assistant(thought("Hm", PLAIN), call("c1"))


@pytest.mark.parametrize(
    "message", [assistant(thought(), Part(text="No call")), assistant(call("c1")), assistant(Part(text="Hi"))]
)
def test_only_thinking_that_led_to_calls_is_kept(message: Message) -> None:
    held = store()
    held.keep(message, ALICE)
    assert (len(held), held.size_bytes) == (0, 0)


def test_texts_and_arguments_are_not_kept() -> None:
    held = store()
    held.keep(assistant(thought(), Part(text="SECRET"), call("c1", '{"k": "SECRET"}')), ALICE)
    assert "SECRET" not in repr(held._entries)


def test_it_ends_with_its_time() -> None:
    clock = Clock()
    held = store(clock=clock)
    held.keep(assistant(thought(), call("c1")), ALICE)
    clock.now += 60
    assert recalled(held, assistant(call("c1"))) == assistant(call("c1"))
    assert (len(held), held.size_bytes) == (0, 0)


def test_it_stays_within_its_bytes_and_the_oldest_goes_first() -> None:
    held = store(max_bytes=10_000)
    for number in range(100):
        held.keep(assistant(thought("x" * 500), call(f"c{number}")), ALICE)
        assert held.size_bytes <= 10_000
    assert recalled(held, assistant(call("c0"))) == assistant(call("c0"))
    assert len(recalled(held, assistant(call("c99"))).parts) == 2
    held.keep(assistant(thought("x" * 20_000), call("c99")), ALICE)
    assert recalled(held, assistant(call("c99"))) == assistant(call("c99"))


def test_an_answer_is_followed_event_by_event_and_begun_anew() -> None:
    held = store()
    collector = held.collector(asks(), ALICE)
    assert collector is not None
    begins = StreamCompleteResponse(events=[Event(started=StartedEvent()), Event(reasoning="lost")])
    collector.add(begins)
    events = [
        Event(started=StartedEvent()),
        Event(part_started=Part(reasoning=Reasoning())),
        Event(reasoning="Hm"),
        Event(part_done=Part(state=SIGNATURE)),
        Event(part=1, part_started=Part(tool_call=ToolCall(id="c1", name="f"))),
        Event(part=1, arguments="{}"),
        Event(finished=FinishedEvent()),
    ]
    for event in events:
        collector.add(StreamCompleteResponse(events=[event]))
    assert len(held) == 0
    collector.ended_well()
    assert recalled(held, assistant(call("c1"))) == assistant(thought(), call("c1"))


def test_answers_that_cannot_call_are_not_followed() -> None:
    assert store().collector(CompleteRequest(model="m"), ALICE) is None
    assert store(max_bytes=0).collector(asks(), ALICE) is None


def test_ids_alone_are_not_kept() -> None:
    held = store()
    named = ProviderState(provider="openai", model="gpt-4.1", id="fc_1")
    held.keep(assistant(Part(text="Hi", state=named), call("c1", state=named)), ALICE)
    assert len(held) == 0
    held.keep(assistant(thought(), call("c1", state=named)), ALICE)
    assert recalled(held, assistant(call("c1"))).parts[1].state == named
