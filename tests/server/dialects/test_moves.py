"""A tool loop that moves from one wire language to another midway is taken by strict readers of each."""

from collections.abc import Sequence
from itertools import product

import orjson
import pytest

from folding import decode_stream, decode_whole, fold, frames_of
from speakers import SPEAKERS, STEPS, TOOL, Json, Speaker
from strict_chat import DEEPSEEK, OPENAI, OPENROUTER, complaints
from targets import target_of
from trunkline.v1 import CompleteRequest, Message, ReasoningEffort, Role
from trunkline_server.dialects.registry import DIALECTS
from trunkline_server.providers.model_book import ModelBook
from trunkline_server.providers.price_list import PriceLists
from trunkline_server.providers.target import Target
from trunkline_server.providers.target_facts import ModelKnowledge

KNOWLEDGE = ModelKnowledge(ModelBook(), PriceLists())
TARGETS = {
    name: Target.of(target_of(row.kind, provider=name).provider, row.model, knowledge=KNOWLEDGE)
    for name, row in SPEAKERS.items()
}


def first_request() -> CompleteRequest:
    request = CompleteRequest(temperature=0.5, max_output_tokens=8000)
    request.reasoning.effort = ReasoningEffort.REASONING_EFFORT_HIGH
    request.tools.add(name=TOOL, parameters='{"type":"object","properties":{"city":{"type":"string"}}}')
    request.messages.add(role=Role.ROLE_SYSTEM).parts.add(text="Be brief.", cache_ttl_s=300)
    request.messages.add(role=Role.ROLE_USER).parts.add(text="What is the weather?")
    return request


def sent_to(target: Target, request: CompleteRequest) -> Json:
    body: Json = orjson.loads(DIALECTS[target.dialect].encode(request, target, stream=False).body)
    return body


def answer_of(speaker: Speaker, step: int, *, stream: bool) -> Message:
    target = TARGETS[speaker.name]
    decoder = DIALECTS[target.dialect].decoder(target)
    if stream:
        events, ending = decode_stream(decoder, frames_of(speaker.stream(step)))
    else:
        events, ending = decode_whole(decoder, orjson.dumps(speaker.answer(step)))
    assert ending.complete
    return fold(events, ending).choices[0].message


def add_results(request: CompleteRequest, message: Message) -> None:
    """The first one tells of a failure, if there are several."""
    ids = [part.tool_call.id for part in message.parts if part.HasField("tool_call")]
    results = Message(role=Role.ROLE_TOOL)
    for at, call_id in enumerate(ids):
        result = results.parts.add().tool_result
        result.call_id = call_id
        result.is_error = at == 0 and len(ids) > 1
        result.parts.add(text="no such place" if result.is_error else "sunny")
    request.messages.append(results)


def run(speakers: Sequence[Speaker]) -> list[tuple[list[str], Json]]:
    """What each has to complain of, and what it was sent."""
    request, seen = first_request(), []
    for step, speaker in enumerate(speakers):
        body = sent_to(TARGETS[speaker.name], request)
        seen.append((speaker.complaints(body), body))
        message = answer_of(speaker, step, stream=False)
        request.messages.append(message)
        if step + 1 < len(STEPS):
            add_results(request, message)
    return seen


@pytest.mark.parametrize("step", range(len(STEPS)))
@pytest.mark.parametrize("name", SPEAKERS)
def test_an_answer_is_the_same_whole_and_streamed(name: str, step: int) -> None:
    whole = answer_of(SPEAKERS[name], step, stream=False)
    assert whole == answer_of(SPEAKERS[name], step, stream=True)
    assert [part.text for part in whole.parts if part.HasField("text")] == [STEPS[step][0]]


@pytest.mark.parametrize(("first", "second"), list(product(SPEAKERS, SPEAKERS)))
def test_a_loop_that_moves_is_taken_by_all(first: str, second: str) -> None:
    for third in SPEAKERS:
        assert [found for found, _ in run([SPEAKERS[first], SPEAKERS[second], SPEAKERS[third]])] == [[], [], []], third


@pytest.mark.parametrize(("first", "second"), list(product(SPEAKERS, SPEAKERS)))
def test_state_goes_back_to_who_made_it_and_to_nobody_else(first: str, second: str) -> None:
    order = [SPEAKERS[first], SPEAKERS[second], SPEAKERS[first]]
    for step, (_, body) in enumerate(run(order)):
        text = orjson.dumps(body).decode()
        given = [(maker.name, state) for at, maker in enumerate(order[:step]) for state in maker.states(maker.name, at)]
        assert [state for maker, state in given if (state in text) != (maker == order[step].name)] == [], step


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "42"}


def test_the_strict_reader_of_chat_refuses_what_vendors_refuse() -> None:
    loop = {"messages": [CALLS, RESULT]}
    assert complaints({**loop, "temperature": 0.5}, OPENAI) == [
        "Unsupported parameter: 'temperature' is not supported with this model."
    ]
    assert complaints(loop, DEEPSEEK) == ["messages[0]: Missing `reasoning_content` field in the assistant message"]
    assert complaints({"messages": [CALLS]}, OPENROUTER) == [
        "messages[1]: tool_call_ids did not have response messages: ['c']"
    ]
    assert complaints({"messages": [RESULT]}, OPENAI) == [
        "messages[0]: 'tool' must be a response to a preceding message with 'tool_calls'"
    ]
