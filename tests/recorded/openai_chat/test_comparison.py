"""What these tests compare with would show a loss: the readers see all that a body says."""

from typing import Any

import pytest

from wire_answer import lost, own_members, read_answer, read_chunks, whole_of
from wire_request import differences, read_request

Json = dict[str, Any]

ANSWER: Json = {
    "id": "r1",
    "model": "m",
    "provider": "Novita",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "native_finish_reason": "eos",
            "logprobs": {"content": [{"token": "Hi", "logprob": -0.5}]},
            "message": {
                "role": "assistant",
                "content": "Hi",
                "refusal": "No",
                "reasoning": "Hm",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example"}}],
                "audio": {"data": "AAAA"},
                "reasoning_details": [{"type": "reasoning.text", "signature": "s"}],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 4, "audio_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 6, "audio_tokens": 7},
    },
}
MESSAGE = ("choices", 0, "message")
READ = [
    ("model",),
    ("choices", 0, "finish_reason"),
    ("choices", 0, "logprobs", "content", 0, "token"),
    ("choices", 0, "logprobs", "content", 0, "logprob"),
    (*MESSAGE, "content"),
    (*MESSAGE, "refusal"),
    (*MESSAGE, "reasoning"),
    (*MESSAGE, "tool_calls", 0, "id"),
    (*MESSAGE, "tool_calls", 0, "function", "name"),
    (*MESSAGE, "tool_calls", 0, "function", "arguments"),
    (*MESSAGE, "annotations", 0, "url_citation", "url"),
    (*MESSAGE, "audio", "data"),
    ("usage", "prompt_tokens"),
    ("usage", "completion_tokens"),
    ("usage", "prompt_tokens_details", "cached_tokens"),
    ("usage", "prompt_tokens_details", "cache_write_tokens"),
    ("usage", "prompt_tokens_details", "audio_tokens"),
    ("usage", "completion_tokens_details", "reasoning_tokens"),
    ("usage", "completion_tokens_details", "audio_tokens"),
]
OWN = [
    ("provider",),
    ("choices", 0, "native_finish_reason"),
    (*MESSAGE, "reasoning_details", 0, "signature"),
]

REQUEST: Json = {
    "model": "m",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "file", "file": {"file_data": "x"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "4"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}],
    "tool_choice": "required",
    "temperature": 0,
    "reasoning": {"effort": "high"},
}
ASKED = [
    ("model",),
    ("messages", 0, "role"),
    ("messages", 0, "content", 0, "text"),
    ("messages", 0, "content", 1, "file", "file_data"),
    ("messages", 1, "tool_call_id"),
    ("tools", 0, "function", "name"),
    ("tools", 0, "function", "parameters", "type"),
    ("tools", 0, "function", "strict"),
    ("tool_choice",),
    ("temperature",),
    ("reasoning", "effort"),
]


def changed(value: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 it is any JSON
    """A copy with another value at the path."""
    if not path:
        return 99 if isinstance(value, int | float) else "other"
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:])
    return copy


@pytest.mark.parametrize("path", READ, ids=str)
def test_a_change_of_what_was_said_is_seen(path: tuple[str | int, ...]) -> None:
    assert read_answer(changed(ANSWER, path)) != read_answer(ANSWER)


@pytest.mark.parametrize("path", OWN, ids=str)
def test_a_loss_of_what_only_the_vendor_has_is_seen(path: tuple[str | int, ...]) -> None:
    assert lost(own_members(ANSWER), ANSWER) == []
    assert lost(own_members(ANSWER), changed(ANSWER, path)) != []


@pytest.mark.parametrize("path", ASKED, ids=str)
def test_a_change_of_what_was_asked_is_seen(path: tuple[str | int, ...]) -> None:
    assert differences(read_request(REQUEST), read_request(changed(REQUEST, path))) != {}


def test_a_stream_is_put_together() -> None:
    stream = (
        b': comment\r\n\r\ndata: {"id":"r1","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\r\n\r\n'
        b'data: {"id":"r1","choices":[{"index":0,"delta":{"content":"b"},\ndata: "finish_reason":"stop"}]}\n\n'
        b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]'
    )
    assert whole_of(read_chunks(stream)) == {
        "id": "r1",
        "model": "m",
        "choices": [{"index": 0, "message": {"content": "ab"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }


def test_calls_and_reasoning_are_put_together() -> None:
    deltas = [
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "a"}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "b"}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "d"}]},
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {"tool_calls": [{"index": 1, "custom": {"input": "y"}}]},
    ]
    body = whole_of([{"choices": [{"index": 0, "delta": delta}]} for delta in deltas])
    assert body["choices"][0]["message"] == {
        "reasoning_details": [
            {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"},
            {"type": "reasoning.encrypted", "index": 1, "data": "d"},
        ],
        "tool_calls": [
            {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"index": 1, "id": "c2", "type": "custom", "custom": {"name": "g", "input": "xy"}},
        ],
    }
