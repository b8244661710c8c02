"""Answers of the Responses wire become the right events.

tests/goldens/openai_responses/decode/<case>/ holds the answer as a stream (stream.sse), as a whole (body.json) or as both,
and the events of each (stream.txt, body.txt), written anew by GOLDENS=write. Where there are both, they are the same
answer.
"""

from pathlib import Path

import orjson
import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from folding import decode_stream, decode_whole, fold, frames_of, order_violations
from golden_files import check_golden
from repository import ROOT
from targets import target_of
from trunkline.errors import (
    ContentFilterError,
    GatewayError,
    ProviderBadAnswerError,
    ProviderQuotaError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
)
from trunkline.v1 import Event, StreamCompleteResponse
from trunkline_server.dialects.dialect import Ending, MalformedFrameError
from trunkline_server.dialects.openai_responses.decode import ResponsesDecoder
from trunkline_server.transport.sse import SseParser
from trunkline_server.values.wire import SseFrame

GOLDENS = ROOT / "tests/goldens/openai_responses/decode"
STREAMS = sorted(GOLDENS.glob("*/stream.sse"))
BODIES = sorted(GOLDENS.glob("*/body.json"))
PAIRS = [path.parent for path in STREAMS if path.with_name("body.json") in BODIES]
CUT = {
    "cut",
    "cut_after_a_call",
    "cut_after_the_text",
    "cut_before_all",
    "cut_call",
    "cut_while_thinking",
    "cut_with_done",
    "nothing",
}
# What every dialect must be shown to translate.
REQUIRED = {
    "calls_told_whole",
    "closed_out_of_order",
    "custom_call",
    "filtered",
    "image",
    "items_closed_only_at_the_end",
    "items_of_its_own",
    "line_separators",
    "logprobs",
    "malformed_call",
    "no_usage",
    "parallel_calls",
    "reasoning",
    "reasoning_in_plain",
    "reasoning_then_call",
    "refusal",
    "server_tools",
    "text",
    "text_without_event_lines",
    "text_without_sequence_numbers",
    "tool_call",
    "truncated",
    "unknown_everything",
    "web_search",
}
# What OpenAI does not send, and its SDK has no type for.
STRANGE = {"stopped_for_a_new_reason", "text_of_no_item", "text_without_sequence_numbers", "unknown_everything"}
EVENTS: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
# Wire events that say how the answer ended.
ENDS = ("response.completed", "response.incomplete")


def decoder() -> ResponsesDecoder:
    return ResponsesDecoder(target_of("openai", model="gpt-5.6-sol"))


def frame(value: object) -> SseFrame:
    return SseFrame("", orjson.dumps(value))


def written(events: list[Event], ending: Ending) -> str:
    """Events and ending for people to read: a line each."""
    messages = [*events, Event(finished=ending.finished)]
    lines = [orjson.dumps(MessageToDict(m, preserving_proto_field_name=True)).decode() for m in messages]
    return "\n".join([*lines, f"complete: {ending.complete}", ""])


def case_name(path: Path) -> str:
    return path.name if path.is_dir() else path.parent.name


def type_of(one: SseFrame) -> str:
    return str(orjson.loads(one.data)["type"]) if one.data.startswith(b"{") else ""


def test_no_case_is_missing() -> None:
    assert {case_name(path) for path in [*STREAMS, *BODIES]} >= REQUIRED | CUT


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_a_stream_becomes_these_events(path: Path) -> None:
    events, ending = decode_stream(decoder(), frames_of(path.read_bytes()))
    check_golden(path.with_name("stream.txt"), written(events, ending))
    assert order_violations(events) == []
    assert ending.complete == (case_name(path) not in CUT)


@pytest.mark.parametrize("path", BODIES, ids=case_name)
def test_a_whole_answer_becomes_these_events(path: Path) -> None:
    events, ending = decode_whole(decoder(), path.read_bytes())
    check_golden(path.with_name("body.txt"), written(events, ending))
    assert order_violations(events) == []
    assert ending.complete
    assert {event.WhichOneof("kind") for event in events} <= {"started", "part_started", "part_done", "choice_finished"}


@pytest.mark.parametrize("path", PAIRS, ids=case_name)
def test_the_same_answer_is_the_same_streamed_and_whole(path: Path) -> None:
    streamed = fold(*decode_stream(decoder(), frames_of((path / "stream.sse").read_bytes())))
    assert streamed == fold(*decode_whole(decoder(), (path / "body.json").read_bytes()))


@pytest.mark.parametrize("path", [path for path in STREAMS if case_name(path) not in STRANGE], ids=case_name)
def test_the_goldens_are_what_the_official_sdk_reads(path: Path) -> None:
    for one in frames_of(path.read_bytes()):
        if one.data.startswith(b"{"):
            assert EVENTS.validate_json(one.data).type == type_of(one)
    if path.parent in PAIRS:
        assert Response.model_validate_json(path.with_name("body.json").read_bytes()).output


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_where_reads_cut_a_stream_changes_nothing(path: Path) -> None:
    stream = path.read_bytes()
    expected = frames_of(stream)
    for at in range(len(stream) + 1):
        parser = SseParser()
        assert [*parser.feed(stream[:at]), *parser.feed(stream[at:]), *parser.close()] == expected


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_a_stream_that_ends_early_is_no_success(path: Path) -> None:
    frames = frames_of(path.read_bytes())
    last = next((at for at, one in enumerate(frames) if type_of(one) in ENDS), len(frames))
    for count in range(last):
        events, ending = decode_stream(decoder(), frames[:count])
        assert not ending.complete
        assert order_violations(events) == []


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_names_and_numbers_of_events_change_nothing(path: Path) -> None:
    def bare(one: SseFrame) -> SseFrame:
        if not one.data.startswith(b"{"):
            return one
        event = {name: value for name, value in orjson.loads(one.data).items() if name != "sequence_number"}
        return frame(event)

    frames = frames_of(path.read_bytes())
    named = fold(*decode_stream(decoder(), frames))
    assert fold(*decode_stream(decoder(), map(bare, frames))).choices == named.choices


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_other_ids_than_at_the_end_change_nothing(path: Path) -> None:
    def renamed(one: SseFrame) -> SseFrame:
        event = orjson.loads(one.data) if one.data.startswith(b"{") else {}
        return frame({**event, "item_id": "tmp"}) if "item_id" in event else one

    frames = frames_of(path.read_bytes())
    assert decode_stream(decoder(), map(renamed, frames)) == decode_stream(decoder(), frames)


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_pieces_alone_print_a_stream(path: Path) -> None:
    events, ending = decode_stream(decoder(), frames_of(path.read_bytes()))
    answer = fold(events, ending)
    printed = "".join(event.text for event in events)
    assert printed == "".join(part.text for choice in answer.choices for part in choice.message.parts)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "x"}, ProviderUnavailableError),
        ({"code": "rate_limit_exceeded", "message": "x"}, ProviderThrottledError),
        ({"code": "insufficient_quota", "message": "x"}, ProviderQuotaError),
        ({"code": "invalid_prompt", "message": "x"}, ContentFilterError),
        ({"code": "bio_policy", "message": "x"}, ContentFilterError),
        ({"code": "misalignment_policy_violation", "message": "x"}, ContentFilterError),
        ({"code": "image_too_large", "message": "x"}, RejectedByProviderError),
        ({"code": "vector_store_timeout", "message": "x"}, ProviderUnavailableError),
        ({"code": "a_new_one", "message": "x"}, ProviderUnavailableError),
        (None, ProviderUnavailableError),
    ],
)
def test_an_answer_that_failed_fails(error: object, kind: type[GatewayError]) -> None:
    answer = {"id": "resp_1", "status": "failed", "error": error, "output": []}
    with pytest.raises(kind):
        decode_stream(decoder(), [frame({"type": "response.failed", "response": answer})])
    with pytest.raises(kind):
        decode_whole(decoder(), orjson.dumps(answer))


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down", "param": None, "sequence_number": 3},
        {"type": "error", "error": {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "Slow down"}},
        {"error": {"code": "rate_limit_exceeded", "message": "Slow down"}},
    ],
    ids=["flat", "nested", "bare"],
)
def test_a_failure_in_a_stream_is_raised(event: dict[str, object]) -> None:
    with pytest.raises(ProviderThrottledError) as caught:
        decode_stream(decoder(), [frame({"type": "response.created", "response": {"id": "r"}}), frame(event)])
    assert caught.value.provider_code == "rate_limit_exceeded"


def test_a_failure_may_be_named_by_the_event_line_alone() -> None:
    with pytest.raises(ProviderUnavailableError):
        decode_stream(decoder(), [SseFrame("error", b'{"code":"server_error","message":"x"}')])


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_an_answer_that_was_given_up_is_no_success(status: str) -> None:
    with pytest.raises(ProviderUnavailableError):
        decode_whole(decoder(), orjson.dumps({"id": "r", "status": status, "output": []}))


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_an_answer_that_is_yet_to_come_is_no_success(status: str) -> None:
    with pytest.raises(ProviderBadAnswerError):
        decode_whole(decoder(), orjson.dumps({"id": "r", "status": status, "output": []}))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"output":{}}', b'{"output":[1]}', b"<html>", b'{"id":"r"}'])
def test_a_body_that_says_nothing_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        decode_whole(decoder(), body)


def test_the_cost_that_a_provider_reports_counts() -> None:
    body = {
        "id": "r",
        "status": "completed",
        "output": [],
        "usage": {"input_tokens": 1, "output_tokens": 1, "cost": 0.5},
    }
    answer = fold(*decode_whole(ResponsesDecoder(target_of("openrouter")), orjson.dumps(body)))
    assert answer.cost.nano_usd == 500_000_000


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
pieces = st.lists(words, min_size=1, max_size=4)
said = st.tuples(st.sampled_from(["message", "function_call", "custom_tool_call", "reasoning"]), pieces)


def item_of(kind: str, index: int, whole: str) -> dict[str, object]:
    item: dict[str, object] = {"type": kind, "id": f"i_{index}"}
    match kind:
        case "message":
            return {**item, "role": "assistant", "content": [{"type": "output_text", "text": whole, "annotations": []}]}
        case "reasoning":
            return {**item, "summary": [{"type": "summary_text", "text": whole}], "encrypted_content": "e"}
        case "function_call":
            return {**item, "call_id": f"c_{index}", "name": "f", "arguments": whole}
        case _:
            return {**item, "call_id": f"c_{index}", "name": "f", "input": whole}


DELTAS = {
    "message": "response.output_text.delta",
    "reasoning": "response.reasoning_summary_text.delta",
    "function_call": "response.function_call_arguments.delta",
    "custom_tool_call": "response.custom_tool_call_input.delta",
}
EMPTY: dict[str, dict[str, object]] = {
    "message": {"content": []},
    "reasoning": {"summary": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
}


@settings(deadline=None)
@given(st.lists(said, max_size=5), st.data())
def test_any_answer_is_the_same_streamed_and_whole(items: list[tuple[str, list[str]]], data: st.DataObject) -> None:
    whole = [item_of(kind, index, "".join(told)) for index, (kind, told) in enumerate(items)]
    frames = []
    for index, ((kind, _), item) in enumerate(zip(items, whole, strict=True)):
        begun = {**item, **EMPTY[kind]}
        frames.append(frame({"type": "response.output_item.added", "output_index": index, "item": begun}))
        if kind == "message":
            part = {"type": "output_text", "text": ""}
            frames.append(
                frame({"type": "response.content_part.added", "output_index": index, "content_index": 0, "part": part})
            )
    # The pieces of all items come mingled, and the items close in any order, or only with the answer.
    waiting = [(index, list(told)) for index, (_, told) in enumerate(items)]
    while waiting:
        at = data.draw(st.integers(0, len(waiting) - 1))
        index, left = waiting[at]
        frames.append(frame({"type": DELTAS[items[index][0]], "output_index": index, "delta": left.pop(0)}))
        if not left:
            waiting.pop(at)
            if data.draw(st.booleans()):
                frames.append(frame({"type": "response.output_item.done", "output_index": index, "item": whole[index]}))
    answer = {"id": "r", "status": "completed", "output": whole}
    frames.append(frame({"type": "response.completed", "response": answer}))
    streamed = fold(*decode_stream(decoder(), frames))
    assert streamed.choices == fold(*decode_whole(decoder(), orjson.dumps(answer))).choices


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
TYPES = sorted({type_of(one) for path in STREAMS for one in frames_of(path.read_bytes())})
MEMBERS = ["response", "item", "part", "delta", "text", "output_index", "content_index", "summary_index", "annotation"]
ITEM_MEMBERS = [
    "type",
    "id",
    "content",
    "summary",
    "arguments",
    "name",
    "call_id",
    "result",
    "encrypted_content",
    "role",
]
ITEM_TYPES = ["message", "reasoning", "function_call", "custom_tool_call", "image_generation_call", "mcp_call", "x"]
strange_items = st.dictionaries(st.sampled_from(ITEM_MEMBERS), json_values | st.sampled_from(ITEM_TYPES), max_size=6)
strange = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional=dict.fromkeys(MEMBERS, json_values | strange_items),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(strange, max_size=8))
@example([{"type": "response.output_item.added", "item": {"type": "message"}, "output_index": -1}])
@example([{"type": "response.output_item.done", "item": {"type": "reasoning", "summary": [{"text": "a"}]}}])
def test_whatever_comes_is_read_skipped_or_refused(answer: list[dict[str, object]]) -> None:
    one, events = decoder(), StreamCompleteResponse().events
    for event in answer:
        try:
            one.feed(frame(event), events)
        except MalformedFrameError:
            continue
        except GatewayError:
            return
    one.close(events)
    assert order_violations(list(events)) == []


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["output", "usage", "status", "error", "id", "incomplete_details"]), json_values)
)
def test_whatever_body_comes_is_read_or_refused(body: dict[str, object]) -> None:
    try:
        events, _ = decode_whole(decoder(), orjson.dumps(body))
    except (MalformedFrameError, GatewayError):
        return
    assert order_violations(events) == []


def test_what_is_not_about_a_type_it_knows_is_passed_over() -> None:
    events, ending = decode_stream(decoder(), [frame({"type": "response.new"}), frame({"type": ""}), frame({})])
    assert (events, ending.complete) == ([], False)
