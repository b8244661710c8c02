"""What these tests compare with would show a loss: the reader sees all that an answer says."""

from typing import Any

import pytest

from gemini_requests import spelled
from wire_gemini import error_in, last_usage, merged, read_bodies, read_candidates

CANDIDATE: dict[str, Any] = {
    "content": {
        "parts": [
            {"text": "Hm", "thought": True},
            {"text": "Hi", "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "f", "args": {"a": 1}}},
            {"executableCode": {"code": "1"}},
        ]
    },
    "finishReason": "MAX_TOKENS",
    "groundingMetadata": {"groundingChunks": [{"web": {"uri": "https://a.example"}}]},
    "logprobsResult": {"chosenCandidates": [{"token": "Hi", "logProbability": -0.5}]},
}
PARTS = ("content", "parts")
READ = [
    (*PARTS, 0, "text"),
    (*PARTS, 0, "thought"),
    (*PARTS, 1, "text"),
    (*PARTS, 1, "thoughtSignature"),
    (*PARTS, 2, "functionCall", "name"),
    (*PARTS, 2, "functionCall", "args", "a"),
    (*PARTS, 3, "executableCode", "code"),
    ("finishReason",),
    ("groundingMetadata", "groundingChunks", 0, "web", "uri"),
    ("logprobsResult", "chosenCandidates", 0, "token"),
    ("logprobsResult", "chosenCandidates", 0, "logProbability"),
]


def changed(value: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 it is any JSON
    """A copy with another value at the path."""
    if not path:
        return not value if isinstance(value, bool) else 99 if isinstance(value, int | float) else "b3Ro"
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:])
    return copy


@pytest.mark.parametrize("path", READ, ids=str)
def test_a_change_of_what_was_said_is_seen(path: tuple[str | int, ...]) -> None:
    other = changed(CANDIDATE, path)
    assert read_candidates([{"candidates": [other]}]) != read_candidates([{"candidates": [CANDIDATE]}])


FIRST = b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}'
SECOND = (
    b'{"candidates":[{"index":0,"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],'
    b'"usageMetadata":{"totalTokenCount":2}}'
)


@pytest.mark.parametrize(
    ("body", "stream"),
    [
        (b"data: " + FIRST + b"\r\n\r\ndata: " + SECOND + b"\r\n\r\n", True),
        (b"[" + FIRST + b",\r\n" + SECOND + b"]", False),
        (SECOND.replace(b'"b"', b'"ab"'), False),
    ],
)
def test_an_answer_is_put_together(body: bytes, stream: bool) -> None:
    chunks = read_bodies(body, stream=stream)
    [candidate] = read_candidates(chunks)
    assert (candidate.text, candidate.finish, last_usage(chunks)) == ("ab", "stop", {"totalTokenCount": 2})
    assert error_in(body, stream=stream) is None


def test_neighbours_of_plain_text_are_one() -> None:
    parts = [{"text": "a"}, {"text": "b"}, {"text": "", "thoughtSignature": "s"}, {"text": ""}, {"text": "c"}]
    assert merged(parts) == [{"text": "ab"}, {"text": "", "thoughtSignature": "s"}, {"text": "c"}]


REQUEST: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be short"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"b": 2}}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    "generationConfig": {"temperature": 0},
}
ASKED = [
    ("systemInstruction", "parts", 0, "text"),
    ("contents", 0, "parts", 0, "text"),
    ("contents", 0, "parts", 1, "inlineData", "mimeType"),
    ("contents", 0, "parts", 1, "inlineData", "data"),
    ("contents", 1, "role"),
    ("contents", 1, "parts", 0, "functionCall", "args", "a"),
    ("contents", 1, "parts", 0, "thoughtSignature"),
    ("contents", 2, "parts", 0, "functionResponse", "response", "b"),
    ("tools", 0, "functionDeclarations", 0, "name"),
    ("tools", 0, "functionDeclarations", 0, "parametersJsonSchema", "type"),
    ("toolConfig", "functionCallingConfig", "mode"),
    ("generationConfig", "temperature"),
]


@pytest.mark.parametrize("path", ASKED, ids=str)
def test_a_change_of_what_was_asked_is_seen(path: tuple[str | int, ...]) -> None:
    assert spelled(changed(REQUEST, path)) != spelled(REQUEST)
