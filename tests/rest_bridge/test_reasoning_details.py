"""What providers want to see again of the thinking comes to chat clients, whole and streamed, and comes back."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from trunkline.answer import AnswerBuilder
from trunkline.v1 import (
    ChoiceFinishedEvent,
    CompleteResponse,
    Event,
    FinishedEvent,
    FinishReason,
    Message,
    Part,
    Phase,
    ProviderState,
    Reasoning,
    Role,
    StartedEvent,
    StateKind,
    StreamCompleteResponse,
    ToolCall,
    ToolKind,
)
from trunkline_bridge.openai.chat_request import read_chat_request
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_bridge.openai.chat_stream import ChunkEncoder

Json = dict[str, Any]


def state(kind: "StateKind.ValueType", data: bytes = b"\x00sig\xff", **more: str) -> ProviderState:
    return ProviderState(kind=kind, data=data, provider="p", model="m-1", **more)


SIGNATURE = StateKind.STATE_KIND_ANTHROPIC_SIGNATURE
REDACTED = StateKind.STATE_KIND_ANTHROPIC_REDACTED
THOUGHT = StateKind.STATE_KIND_GEMINI_THOUGHT_SIGNATURE
ENCRYPTED = StateKind.STATE_KIND_OPENAI_ENCRYPTED


def call(call_id: str, held: ProviderState | None = None) -> Part:
    function = ToolCall(id=call_id, name="f", arguments='{"a":1}', kind=ToolKind.TOOL_KIND_FUNCTION)
    return Part(tool_call=function, state=held)


# Messages that chat's form can hold in this order: one text, calls last.
MESSAGES: Mapping[str, list[Part]] = {
    "signed": [
        Part(reasoning=Reasoning(text="Let me see."), state=state(SIGNATURE)),
        Part(text="So."),
        call("c1"),
    ],
    "interleaved": [
        Part(reasoning=Reasoning(text="One."), state=state(SIGNATURE, b"1")),
        Part(text="So."),
        Part(reasoning=Reasoning(text="Two.\n\nStill two."), state=state(SIGNATURE, b"2")),
        call("c1"),
        Part(reasoning=Reasoning(text="Three."), state=state(SIGNATURE, b"3")),
        call("c2"),
    ],
    "no words": [
        Part(reasoning=Reasoning(), state=state(SIGNATURE)),
        Part(reasoning=Reasoning(redacted=True), state=state(REDACTED, b"hidden")),
        Part(text="Hi"),
    ],
    "on calls": [call("c1", state(THOUGHT)), call("c2")],
    "on text": [
        Part(reasoning=Reasoning(text="Hm"), state=state(THOUGHT, b"t")),
        Part(text="Hi", state=state(THOUGHT)),
    ],
    "encrypted": [
        Part(reasoning=Reasoning(text="Sum"), state=state(ENCRYPTED, id="rs_1")),
        Part(text="Looking", phase=Phase.PHASE_COMMENTARY),
        Part(reasoning=Reasoning(), state=state(ENCRYPTED, b"2", id="rs_2")),
        call("c1"),
    ],
}


def whole(parts: list[Part]) -> Json:
    response = CompleteResponse(id="r1", model="m-1")
    choice = response.choices.add(finish_reason=FinishReason.FINISH_REASON_STOP)
    choice.message.CopyFrom(Message(role=Role.ROLE_ASSISTANT, parts=parts))
    message: Json = chat_completion(response)["choices"][0]["message"]
    return message


def events_of(parts: list[Part]) -> list[Event]:
    """As dialects tell them: words in pieces, state at the end of each part."""
    events = [Event(started=StartedEvent(id="r1", model="m-1"))]
    for index, part in enumerate(parts):
        begun, done = Part.FromString(part.SerializeToString()), Part(phase=part.phase)
        if part.HasField("state"):
            done.state.CopyFrom(part.state)
            begun.ClearField("state")
        begun.ClearField("phase")
        pieces: list[Event] = []
        match part.WhichOneof("content"):
            case "reasoning":
                begun.reasoning.text = ""
                half = len(part.reasoning.text) // 2
                words = (part.reasoning.text[:half], part.reasoning.text[half:])
                pieces = [Event(part=index, reasoning=word) for word in words if word]
            case "text":
                begun.text = ""
                pieces = [Event(part=index, text=part.text)]
            case _:
                begun.tool_call.arguments = ""
                pieces = [Event(part=index, arguments=part.tool_call.arguments)]
        events += [Event(part=index, part_started=begun), *pieces, Event(part=index, part_done=done)]
    events.append(Event(choice_finished=ChoiceFinishedEvent(finish_reason=FinishReason.FINISH_REASON_STOP)))
    events.append(Event(finished=FinishedEvent()))
    return events


def streamed(parts: list[Part]) -> Json:
    """The message that a client puts together, as OpenAI's and OpenRouter's SDKs do."""
    encoder = ChunkEncoder(request_id="r1", model="m", include_usage=False)
    data = b"".join(encoder.encode(StreamCompleteResponse(events=[event])) for event in events_of(parts))
    message: Json = {"role": "assistant", "content": None}
    for line in data.decode().splitlines():
        if not line.startswith("data: {"):
            continue
        delta = json.loads(line[6:])["choices"][0]["delta"]
        for name in ("content", "reasoning_content"):
            if delta.get(name):
                message[name] = (message.get(name) or "") + delta[name]
        message.setdefault("reasoning_details", []).extend(delta.get("reasoning_details", ()))
        for found in delta.get("tool_calls", ()):
            calls = message.setdefault("tool_calls", [])
            if found["index"] == len(calls):
                calls.append({"id": found["id"], "type": "function", "function": dict(found["function"])})
            else:
                calls[found["index"]]["function"]["arguments"] += found["function"]["arguments"]
    return message


def back(message: Json) -> Message:
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}, message]}
    return read_chat_request(asked, max_messages=2).request.messages[1]


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("form", [whole, streamed])
def test_what_is_sent_back_is_what_was_answered(form: Callable[[list[Part]], Json], name: str) -> None:
    assert back(form(MESSAGES[name])) == Message(role=Role.ROLE_ASSISTANT, parts=MESSAGES[name])


@pytest.mark.parametrize("name", MESSAGES)
def test_streams_tell_the_same_details(name: str) -> None:
    parts = MESSAGES[name]
    assert streamed(parts)["reasoning_details"] == whole(parts)["reasoning_details"]
    built = AnswerBuilder()
    for event in events_of(parts):
        built.add_event(event)
    assert list(built.response().choices[0].message.parts) == parts


def test_thinking_that_did_not_come_back_as_it_was_loses_its_state() -> None:
    message = whole(MESSAGES["signed"]) | {"reasoning_content": "Something else"}
    found = back(message).parts[0]
    assert found.reasoning.text == "Something else"
    assert found.state.kind == StateKind.STATE_KIND_PLAIN_TEXT


def test_details_of_others_stay_as_they_are() -> None:
    theirs = {"type": "reasoning.text", "text": "Hm", "signature": "s", "index": 0}
    message = whole(MESSAGES["signed"])
    message["reasoning_details"].append(theirs)
    found = back(message)
    assert json.loads(found.extensions["openai_chat"]) == {"reasoning_details": [theirs]}
    assert found.parts[0].state == MESSAGES["signed"][0].state


@pytest.mark.parametrize(
    "broken", [{"data": "%"}, {"index": "0"}, {"chars": -1}, {"state": "magic"}, {"on": "sky"}, {"model": 5}]
)
def test_broken_details_do_no_harm(broken: Json) -> None:
    message = whole(MESSAGES["signed"])
    message["reasoning_details"][0].update(broken)
    found = back(message)
    assert found.parts[0].reasoning.text == "Let me see."
    assert not found.parts[0].state.data
