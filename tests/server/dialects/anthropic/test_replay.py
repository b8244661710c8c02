"""What a Claude model thought goes back to it unchanged, and the strict stand-in would notice if it did not."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from folding import decode_stream, decode_whole, fold, frames_of
from repository import ROOT
from strict_anthropic import complaints
from targets import target_of
from trunkline.v1 import CompleteRequest, Role
from trunkline_server.dialects.anthropic import Anthropic

GOLDENS = ROOT / "tests/goldens/anthropic/decode"
DIALECT = Anthropic()
OPUS = target_of("anthropic", model="claude-opus-4-8")
SIGNATURES = frozenset({"EqQB", "EncRypted"})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "case", ["thinking", "thinking_not_shown", "redacted_thinking", "web_search", "mcp", "compaction"]
)
def test_an_answer_goes_back_as_it_came(case: str, *, stream: bool) -> None:
    body = (GOLDENS / case / "body.json").read_bytes()
    if stream:
        events, ending = decode_stream(DIALECT.decoder(OPUS), frames_of((GOLDENS / case / "stream.sse").read_bytes()))
    else:
        events, ending = decode_whole(DIALECT.decoder(OPUS), body)
    answer = fold(events, ending).choices[0].message
    request = CompleteRequest()
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Hi")
    request.messages.add().CopyFrom(answer)
    for part in answer.parts:
        if part.HasField("tool_call"):
            result = request.messages.add(role=Role.ROLE_TOOL).parts.add().tool_result
            result.call_id = part.tool_call.id
            result.parts.add(text="Done")
    if request.messages[-1].role == Role.ROLE_ASSISTANT:
        request.messages.add(role=Role.ROLE_USER).parts.add(text="Go on")
    wire = DIALECT.encode(request, OPUS, stream=False)
    sent = orjson.loads(wire.body)
    assert list(wire.notes) == []
    assert without_nothing(sent["messages"][1]["content"]) == without_nothing(orjson.loads(body)["content"])
    if case != "compaction":  # which is of a beta
        assert complaints(sent, OPUS.model, signatures=SIGNATURES) == []


def without_nothing(value: Any) -> Any:  # noqa: ANN401 any JSON
    if isinstance(value, dict):
        return {name: without_nothing(inner) for name, inner in value.items() if inner not in (None, [])}
    return [without_nothing(inner) for inner in value] if isinstance(value, list) else value


USER = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}
RESULT = {"type": "tool_result", "tool_use_id": "t1"}
THOUGHT = {"type": "thinking", "thinking": "Hm", "signature": "forged"}
MARK = {"cache_control": {"type": "ephemeral"}}
LONG_MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def messages(*turns: Mapping[str, Any], **more: object) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 2000, "messages": list(turns), **more}


def marked(*marks: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": "x", **mark} for mark in marks]}


BROKEN: Mapping[str, tuple[dict[str, Any], str]] = {
    "model_first": (messages(CALL), "first message must use the user role"),
    "two_of_one_role": (messages(USER, USER), "roles must alternate"),
    "empty_text": (messages({"role": "user", "content": [{"type": "text", "text": " "}]}), "non-whitespace"),
    "call_without_result": (messages(USER, CALL, USER), "without `tool_result` blocks immediately after"),
    "result_without_call": (messages(USER, {"role": "user", "content": [RESULT]}), "unexpected `tool_use_id`"),
    "words_before_results": (
        messages(USER, CALL, {"role": "user", "content": [{"type": "text", "text": "x"}, RESULT]}),
        "must come first",
    ),
    "changed_signature": (
        messages(
            USER, {"role": "assistant", "content": [THOUGHT, *CALL["content"]]}, {"role": "user", "content": [RESULT]}
        ),
        "Invalid `signature`",
    ),
    "bad_id": (
        messages(USER, {"role": "assistant", "content": [{**CALL["content"][0], "id": "a:b"}]}),  # type: ignore[dict-item]  # a dict of a test
        "String should match pattern",
    ),
    "five_marks": (messages(marked(MARK, MARK, MARK, MARK, MARK)), "a maximum of 4 blocks"),
    "longer_behind": (messages(marked(MARK, LONG_MARK)), "must not come after"),
    "no_max_tokens": ({"model": "m", "messages": [USER]}, "max_tokens: Field required"),
    "sampling": (messages(USER, temperature=0.5), "temperature: Extra inputs are not permitted"),
    "prefill": (messages(USER, {"role": "assistant", "content": [{"type": "text", "text": "x"}]}), "prefill"),
    "budget": (messages(USER, thinking={"type": "enabled", "budget_tokens": 1024}), "enabled is not supported"),
    "open_schema": (
        messages(USER, output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}}),
        "must be explicitly set to false",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_strict_stand_in_refuses_what_anthropic_refuses(name: str) -> None:
    body, words = BROKEN[name]
    assert any(words in complaint for complaint in complaints(body, "claude-opus-4-8", signatures=SIGNATURES))
