"""Answers and errors in the shape that each kind of provider gives them become the right events and failures.

tests/goldens/openai_chat/kinds/<kind>/ holds one answer as a whole (body.json) and as a stream (stream.sse), an error answer
(error.json: status, headers, body), and what each becomes, written anew by GOLDENS=write. What a kind is sent stands in
encode/.
"""

from pathlib import Path

import orjson
import pytest
from google.protobuf.json_format import MessageToDict

from folding import decode_stream, decode_whole, fold, frames_of, order_violations
from golden_files import check_golden
from repository import ROOT
from targets import kinds_of, target_of
from trunkline.v1 import CompleteRequest, Cost, CostSource, Event, FinishReason, Message, Role, StateKind
from trunkline_server.dialects.dialect import Ending
from trunkline_server.dialects.openai_chat import OpenAIChat
from trunkline_server.providers.kinds import KINDS

GOLDENS = ROOT / "tests/goldens/openai_chat/kinds"
DIALECT = OpenAIChat()
# `echo` is answered by the gateway itself, whose tests are those of the transport.
OF_VENDORS = [kind for kind in kinds_of("openai_chat") if kind != "echo"]

every_kind = pytest.mark.parametrize("kind", OF_VENDORS)


def written(events: list[Event], ending: Ending) -> str:
    """Events and ending for people to read: a line each."""
    messages = [*events, Event(finished=ending.finished)]
    lines = [orjson.dumps(MessageToDict(m, preserving_proto_field_name=True)).decode() for m in messages]
    return "\n".join([*lines, f"complete: {ending.complete}", ""])


def streamed(kind: str) -> tuple[list[Event], Ending]:
    return decode_stream(DIALECT.decoder(target_of(kind)), frames_of((GOLDENS / kind / "stream.sse").read_bytes()))


def whole(kind: str) -> tuple[list[Event], Ending]:
    return decode_whole(DIALECT.decoder(target_of(kind)), (GOLDENS / kind / "body.json").read_bytes())


def replayed(kind: str, answer: Message) -> dict[str, object]:
    """The answer as it is sent back in the next turn."""
    request = CompleteRequest(messages=[answer])
    body = orjson.loads(DIALECT.encode(request, target_of(kind), stream=False).body)
    found = body["messages"][0]
    assert isinstance(found, dict)
    return found


def test_every_kind_has_its_answers() -> None:
    assert {path.name for path in GOLDENS.iterdir()} == set(OF_VENDORS)


@every_kind
def test_a_stream_becomes_these_events(kind: str) -> None:
    events, ending = streamed(kind)
    check_golden(GOLDENS / kind / "stream.txt", written(events, ending))
    assert order_violations(events) == []
    assert ending.complete


@every_kind
def test_a_whole_answer_becomes_these_events(kind: str) -> None:
    events, ending = whole(kind)
    check_golden(GOLDENS / kind / "body.txt", written(events, ending))
    assert order_violations(events) == []
    assert ending.complete


@every_kind
def test_both_are_the_same_answer(kind: str) -> None:
    one, other = fold(*streamed(kind)), fold(*whole(kind))
    for answer in (one, other):
        assert answer.usage.native
        answer.usage.ClearField("native")  # the same object in another layout
        # What has no field of its own may stand in one place of a stream and in another of a body.
        answer.ClearField("extensions")
        for choice in answer.choices:
            choice.ClearField("extensions")
            for part in choice.message.parts:
                if part.HasField("state") and part.state.data:
                    assert orjson.loads(part.state.data)
                    part.state.data = orjson.dumps(orjson.loads(part.state.data), option=orjson.OPT_SORT_KEYS)
    assert one == other


@every_kind
def test_an_error_means(kind: str) -> None:
    given = orjson.loads((GOLDENS / kind / "error.json").read_bytes())
    body = given["body"].encode() if isinstance(given["body"], str) else orjson.dumps(given["body"])
    error = DIALECT.error(target_of(kind), given["status"], given["headers"], body)
    told = MessageToDict(error.to_failure(), preserving_proto_field_name=True)
    request_id = KINDS[kind].request_id(given["headers"])
    lines = [type(error).__name__, orjson.dumps(told).decode(), f"request id: {request_id or 'none'}", ""]
    check_golden(GOLDENS / kind / "error.txt", "\n".join(lines))


@every_kind
def test_the_whole_output_is_counted(kind: str) -> None:
    answer = fold(*whole(kind))
    total = orjson.loads(answer.usage.native)["total_tokens"]
    assert answer.usage.input_tokens + answer.usage.output_tokens == total


@every_kind
def test_an_end_is_told_in_common_words(kind: str) -> None:
    reasons = {choice.finish_reason for choice in fold(*streamed(kind)).choices}
    assert reasons <= {FinishReason.FINISH_REASON_STOP, FinishReason.FINISH_REASON_TOOL_CALLS}


@pytest.mark.parametrize(
    ("kind", "nano_usd"),
    # 0.0076509169000000005 USD, 1,234,567 ticks of which ten are a nano-USD, and 0.00503 USD
    [("openrouter", 7_650_917), ("xai", 123_457), ("perplexity", 5_030_000)],
)
def test_a_cost_that_is_reported_is_taken_to_the_last_digit(kind: str, nano_usd: int) -> None:
    for answer in (fold(*streamed(kind)), fold(*whole(kind))):
        assert answer.cost == Cost(nano_usd=nano_usd, source=CostSource.COST_SOURCE_REPORTED)


@pytest.mark.parametrize("kind", [kind for kind in OF_VENDORS if KINDS[kind].chat.cost is None])
def test_other_figures_are_not_taken_for_a_cost(kind: str) -> None:
    assert not fold(*whole(kind)).HasField("cost")


@pytest.mark.parametrize("how", [streamed, whole])
def test_openrouters_details_come_back_as_they_were(how: object) -> None:
    assert callable(how)
    message = fold(*how("openrouter")).choices[0].message
    raw = orjson.loads((GOLDENS / "openrouter/body.json").read_bytes())["choices"][0]["message"]
    details = [part for part in message.parts if part.HasField("reasoning")]
    assert {part.state.kind for part in details} == {StateKind.STATE_KIND_OPENROUTER_DETAIL}
    assert [part.reasoning.text for part in details] == ["Look it up.", ""]
    back = replayed("openrouter", message)
    assert back["reasoning_details"] == raw["reasoning_details"]
    assert "reasoning" not in back


@pytest.mark.parametrize("how", [streamed, whole])
def test_mistrals_thinking_comes_back_as_it_was(how: object) -> None:
    assert callable(how)
    message = fold(*how("mistral")).choices[0].message
    raw = orjson.loads((GOLDENS / "mistral/body.json").read_bytes())["choices"][0]["message"]
    back = replayed("mistral", message)
    assert back["content"] == raw["content"]
    assert [call["id"] for call in back["tool_calls"]] == ["Xy3fG5hJ7"]  # type: ignore[attr-defined]  # a list of calls


@pytest.mark.parametrize("kind", [kind for kind in OF_VENDORS if KINDS[kind].chat.reasoning_member.startswith("reas")])
def test_reasoning_comes_back_where_the_provider_looks_for_it(kind: str) -> None:
    quirks = KINDS[kind].chat
    if quirks.reasoning_details:
        return  # it has a form of its own, see above
    message = fold(*whole(kind)).choices[0].message
    thought = "".join(part.reasoning.text for part in message.parts)
    assert thought
    assert replayed(kind, message)[quirks.reasoning_member] == thought


def test_calls_and_results_keep_one_id_that_the_provider_takes() -> None:
    request = CompleteRequest()
    calls = request.messages.add(role=Role.ROLE_ASSISTANT)
    results = request.messages.add(role=Role.ROLE_TOOL)
    for given in ("call_1", "toolu_01Ab", "aB3dE6gH9", "ümlaut_99", ""):
        calls.parts.add().tool_call.id = given
        results.parts.add().tool_result.call_id = given
    wire = DIALECT.encode(request, target_of("mistral"), stream=False)
    first, *rest = orjson.loads(wire.body)["messages"]
    ids = [call["id"] for call in first["tool_calls"]]
    assert ids == [result["tool_call_id"] for result in rest]
    assert len(set(ids)) == len(ids)
    assert all(len(wire_id) == 9 and wire_id.isascii() and wire_id.isalnum() for wire_id in ids)
    assert ids[2] == "aB3dE6gH9"


def test_golden_folders_hold_nothing_else() -> None:
    expected = {"body.json", "body.txt", "stream.sse", "stream.txt", "error.json", "error.txt"}
    assert {path: {file.name for file in path.iterdir()} for path in GOLDENS.iterdir()} == {
        Path(GOLDENS / kind): expected for kind in OF_VENDORS
    }
