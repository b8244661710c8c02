"""Tokens that no provider reports: counted by length, or by a vocabulary where the operator wants one."""

import pytest

from trunkline.v1 import CompleteRequest, Event, Message, Part, Reasoning, Role, Tool, ToolCall, ToolResult
from trunkline_server.engine.estimate import SAMPLE_CHARS, TokenEstimator
from trunkline_server.engine.vocabulary import load_vocabulary

REQUEST = CompleteRequest(
    messages=[
        Message(role=Role.ROLE_USER, parts=[Part(text="x" * 40), Part()]),
        Message(
            role=Role.ROLE_ASSISTANT,
            parts=[
                Part(reasoning=Reasoning(text="x" * 40)),
                Part(tool_call=ToolCall(name="x" * 20, arguments="x" * 20)),
            ],
        ),
        Message(role=Role.ROLE_TOOL, parts=[Part(tool_result=ToolResult(parts=[Part(text="x" * 40)]))]),
    ],
    tools=[Tool(name="x" * 10, description="x" * 10, parameters="x" * 20)],
)
EVENTS = [
    Event(part_started=Part(text="one two")),
    Event(text=" three"),
    Event(reasoning=" four"),
    Event(arguments=" five"),
    Event(refusal=" six"),
]


def words(text: str) -> int:
    return len(text.split())


def test_by_length_four_characters_are_a_token() -> None:
    estimator = TokenEstimator()
    assert estimator.input_tokens(REQUEST) == 50 + 3 * 4
    usage = estimator.usage(REQUEST, 41)
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (62, 11, True)


def test_nothing_is_still_one_token() -> None:
    assert TokenEstimator().input_tokens(CompleteRequest()) == 1


def test_a_vocabulary_counts_what_was_said() -> None:
    estimator = TokenEstimator(words)
    assert estimator.reads
    assert estimator.usage(REQUEST, 0, EVENTS).output_tokens == 6


@pytest.mark.parametrize("length", [SAMPLE_CHARS, SAMPLE_CHARS * 3])
def test_of_long_texts_a_sample_is_counted(length: int) -> None:
    seen: list[int] = []

    def count(text: str) -> int:
        seen.append(len(text))
        return len(text) // 2

    request = CompleteRequest(messages=[Message(parts=[Part(text="x" * length)])])
    assert TokenEstimator(count).input_tokens(request) == length // 2 + 4
    assert seen == [SAMPLE_CHARS]


def test_the_vocabulary_is_openais() -> None:
    pytest.importorskip("bpe_openai", reason="bpe-openai, an optional package, is not installed")
    count = load_vocabulary()
    assert [count(text) for text in ("", "hello world", "<|endoftext|>", "Größe")] == [0, 2, 7, 2]
