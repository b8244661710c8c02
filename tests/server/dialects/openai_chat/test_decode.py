"""Answers of the chat completions wire become the right events, however a vendor sends them.

tests/goldens/openai_chat/decode/<case>/ holds the answer as a stream (stream.sse), as a whole (body.json) or as both, and
the events of each (stream.txt, body.txt), written anew by GOLDENS=write. Where there are both, they are the same answer.
"""

from pathlib import Path

import orjson
import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from folding import decode_stream, decode_whole, fold, frames_of, order_violations
from golden_files import check_golden
from repository import ROOT
from targets import target_of
from trunkline.answer import AnswerBuilder
from trunkline.errors import (
    ContextLengthError,
    GatewayError,
    MalformedToolCallError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
)
from trunkline.v1 import Event, StateKind, StreamCompleteResponse
from trunkline_server.dialects.dialect import Ending, MalformedFrameError
from trunkline_server.dialects.openai_chat.decode import ChatDecoder
from trunkline_server.values.wire import SseFrame

GOLDENS = ROOT / "tests/goldens/openai_chat/decode"
STREAMS = sorted(GOLDENS.glob("*/stream.sse"))
BODIES = sorted(GOLDENS.glob("*/body.json"))
PAIRS = [path.parent for path in STREAMS if path.with_name("body.json") in BODIES]
CUT = {"cut", "cut_second_choice", "nothing"}


def decoder() -> ChatDecoder:
    return ChatDecoder(target_of("openai_compatible", provider="vendor", model="m-1"))


def frame(value: object) -> SseFrame:
    return SseFrame("", orjson.dumps(value))


def delta(content: object, finish: str | None = None) -> SseFrame:
    return frame({"id": "r1", "choices": [{"index": 0, "delta": content, "finish_reason": finish}]})


def written(events: list[Event], ending: Ending) -> str:
    """Events and ending for people to read: a line each."""
    messages = [*events, Event(finished=ending.finished)]
    lines = [orjson.dumps(MessageToDict(m, preserving_proto_field_name=True)).decode() for m in messages]
    return "\n".join([*lines, f"complete: {ending.complete}", ""])


def case_name(path: Path) -> str:
    return path.name if path.is_dir() else path.parent.name


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
    whole = fold(*decode_whole(decoder(), (path / "body.json").read_bytes()))
    # The text of the vendor's usage object is kept as it came, and may be laid out in another way.
    assert orjson.loads(streamed.usage.native or b"{}") == orjson.loads(whole.usage.native or b"{}")
    if whole.HasField("usage"):
        whole.usage.native = streamed.usage.native
    assert streamed == whole


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_pieces_alone_print_a_stream(path: Path) -> None:
    events, ending = decode_stream(decoder(), frames_of(path.read_bytes()))
    answer = fold(events, ending)
    for choice in answer.choices:
        printed = "".join(event.text for event in events if event.choice == choice.index)
        assert printed == "".join(part.text for part in choice.message.parts)


@settings(deadline=None)
@given(st.data())
def test_how_frames_are_grouped_changes_nothing(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(STREAMS))
    frames = frames_of(path.read_bytes())
    cuts = data.draw(st.lists(st.integers(0, len(frames)), max_size=5).map(sorted))
    builder, grouped = AnswerBuilder(), decoder()
    for start, end in zip([0, *cuts], [*cuts, len(frames)], strict=True):
        batch = StreamCompleteResponse()
        for one in frames[start:end]:
            grouped.feed(one, batch.events)
        builder.add(batch)
    last = StreamCompleteResponse()
    ending = grouped.close(last.events)
    builder.add(last)
    builder.add_event(Event(finished=ending.finished))
    assert builder.response() == fold(*decode_stream(decoder(), frames))


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
pieces = st.lists(words, max_size=4)
calls = st.lists(st.tuples(words, pieces), max_size=3)


@settings(deadline=None)
@given(pieces, pieces, calls, st.sampled_from(["stop", "length", "tool_calls", "content_filter", "other"]))
def test_any_answer_is_the_same_streamed_and_whole(
    reasoning: list[str], text: list[str], called: list[tuple[str, list[str]]], reason: str
) -> None:
    head = {"id": "r1", "created": 1, "model": "m"}
    deltas: list[object] = [{"reasoning_content": piece} for piece in reasoning]
    deltas += [{"content": piece} for piece in text]
    for index, (name, arguments) in enumerate(called):
        deltas.append({"tool_calls": [{"index": index, "id": f"c{index}", "function": {"name": name}}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in arguments]
    frames = [frame({**head, "choices": [{"index": 0, "delta": one}]}) for one in [{"role": "assistant"}, *deltas]]
    frames.append(frame({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
    message = {
        "content": "".join(text),
        "reasoning_content": "".join(reasoning),
        "tool_calls": [
            {"id": f"c{index}", "function": {"name": name, "arguments": "".join(arguments)}}
            for index, (name, arguments) in enumerate(called)
        ],
    }
    body = orjson.dumps({**head, "choices": [{"index": 0, "message": message, "finish_reason": reason}]})
    assert fold(*decode_stream(decoder(), frames)) == fold(*decode_whole(decoder(), body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
MEMBERS = [
    "id",
    "created",
    "model",
    "choices",
    "usage",
    "service_tier",
    "system_fingerprint",
    "error",
    "object",
    "x_groq",
]
CHOICE_MEMBERS = ["index", "delta", "message", "finish_reason", "logprobs", "stop_reason", "error"]
MESSAGE_MEMBERS = [
    "role",
    "content",
    "refusal",
    "reasoning",
    "reasoning_content",
    "thinking",
    "tool_calls",
    "function_call",
    "audio",
    "annotations",
]
CALL_MEMBERS = [
    "index",
    "id",
    "type",
    "function",
    "custom",
    "name",
    "arguments",
    "data",
    "transcript",
    "expires_at",
    "text",
    "token",
]


def objects(names: list[str], inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.dictionaries(st.sampled_from(names), inner, max_size=5)


parts = objects(CALL_MEMBERS, json_values | objects(CALL_MEMBERS, json_values))
messages = objects(MESSAGE_MEMBERS, json_values | parts | st.lists(parts, max_size=3))
choices = objects(CHOICE_MEMBERS, json_values | messages)
answers = objects(MEMBERS, json_values | st.lists(choices, max_size=3) | objects(["usage"], parts))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(answers, max_size=4), st.booleans())
@example([{"choices": [{}], "model": []}, {"choices": [{}]}], False)
def test_nothing_a_vendor_sends_breaks_the_decoder(sent: list[object], whole: bool) -> None:
    under_test, batch = decoder(), StreamCompleteResponse()
    for value in sent:
        try:
            if whole:
                under_test.whole(orjson.dumps(value), batch.events)
            else:
                under_test.feed(frame(value), batch.events)
        except (MalformedFrameError, GatewayError):
            continue
    under_test.close(batch.events)
    assert order_violations(list(batch.events)) == []


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"[1]",
        b'"text"',
        b'{"choices":7}',
        b'{"choices":[7]}',
        b'{"choices":[{"index":-1,"delta":{}}]}',
        b'{"choices":[{"index":"0","delta":{}}]}',
        b'{"choices":[{"index":0,"delta":"text"}]}',
        b'{"choices":[{"index":0,"delta":{"content":7}}]}',
        b'{"choices":[{"index":0,"delta":{"content":[7]}}]}',
        b'{"choices":[{"index":0,"delta":{"reasoning":{"a":1}}}]}',
        b'{"choices":[{"index":0,"delta":{"tool_calls":[[]]}}]}',
        b'{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"name":7}}]}}]}',
        b'{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"name":"f","arguments":[]}}]}}]}',
        b'{"choices":[{"index":0,"delta":{"audio":{"data":"%%%%"}}}]}',
        b'{"choices":[{"index":0,"delta":{},"finish_reason":7}]}',
        b'{"choices":[{"index":0,"delta":{},"logprobs":7}]}',
        b'{"x":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
def test_a_frame_that_says_nothing_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedFrameError) as caught:
        decoder().feed(SseFrame("", data), StreamCompleteResponse().events)
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"id":"x"}'])
def test_a_body_without_choices_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        decoder().whole(body, StreamCompleteResponse().events)


@pytest.mark.parametrize("data", [b"", b"[DONE]", b'{"choices":null}', b'{"type":"ping"}', b'{"error":null}'])
def test_a_frame_may_mean_nothing(data: bytes) -> None:
    batch, under_test = StreamCompleteResponse(), decoder()
    under_test.feed(SseFrame("", data), batch.events)
    assert (list(batch.events), under_test.finished) == ([], False)
    assert under_test.done == (data == b"[DONE]")


@pytest.mark.parametrize(
    ("sent", "error", "status"),
    [
        (frame({"error": {"message": "m", "type": "server_error"}}), ProviderUnavailableError, 0),
        (frame({"error": {"message": "m", "code": 429}}), ProviderThrottledError, 429),
        (frame({"error": {"message": "m", "code": 400}, "choices": []}), RejectedByProviderError, 400),
        (frame({"error": "it broke"}), ProviderUnavailableError, 0),
        (frame({"object": "error", "message": "m", "code": 400}), RejectedByProviderError, 400),
        (frame({"error": {"code": "context_length_exceeded"}}), ContextLengthError, 0),
        (SseFrame("error", b'{"error":{"code":"tool_use_failed","status_code":400}}'), MalformedToolCallError, 400),
        (SseFrame("error", b'{"message":"m"}'), ProviderUnavailableError, 0),
        (delta({}, "error"), ProviderUnavailableError, 0),
        (delta({"content": "x"}, "MALFORMED_FUNCTION_CALL"), MalformedToolCallError, 0),
        (delta({}, "insufficient_system_resource"), ProviderUnavailableError, 0),
        (
            frame({"choices": [{"index": 0, "finish_reason": "error", "error": {"code": 429, "message": "m"}}]}),
            ProviderThrottledError,
            429,
        ),
    ],
)
def test_a_failure_told_in_band_is_raised(sent: SseFrame, error: type[GatewayError], status: int) -> None:
    under_test = decoder()
    under_test.feed(delta({"content": "so far"}), StreamCompleteResponse().events)
    with pytest.raises(error) as caught:
        under_test.feed(sent, StreamCompleteResponse().events)
    assert type(caught.value) is error
    assert (caught.value.target, caught.value.provider_status) == ("vendor/m-1", status)


def test_a_failure_in_a_whole_answer_is_raised() -> None:
    with pytest.raises(ProviderUnavailableError):
        decoder().whole(b'{"error":{"message":"m","code":500}}', StreamCompleteResponse().events)


def test_finished_is_said_once_every_choice_has_its_reason() -> None:
    under_test, events = decoder(), StreamCompleteResponse().events
    seen = []
    for index, reason in [(0, None), (1, None), (0, "stop"), (1, "stop"), (2, None), (2, "length")]:
        under_test.feed(frame({"choices": [{"index": index, "delta": {}, "finish_reason": reason}]}), events)
        seen.append(under_test.finished)
    assert seen == [False, False, False, True, False, True]


def test_content_is_counted_for_an_estimate() -> None:
    under_test, events = decoder(), StreamCompleteResponse().events
    under_test.feed(delta({"content": "four"}), events)
    under_test.feed(delta({"reasoning": "123", "refusal": "12"}), events)
    under_test.feed(
        delta({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}), events
    )
    assert under_test.content_chars == 4 + 3 + 2 + 2


def test_reasoning_says_who_may_see_it_again() -> None:
    events, _ = decode_stream(decoder(), [delta({"reasoning": "hm"})])
    state = events[1].part_started.state
    assert (state.kind, state.provider, state.model) == (StateKind.STATE_KIND_PLAIN_TEXT, "vendor", "m-1")


def test_a_call_without_an_id_gets_one_that_is_its_own() -> None:
    def ids(response_id: str) -> list[str]:
        calls = [{"function": {"name": name, "arguments": "{}"}} for name in "ab"]
        events, ending = decode_stream(
            decoder(), [frame({"id": response_id, "choices": [{"index": 0, "delta": {"tool_calls": calls}}]})]
        )
        return [part.tool_call.id for part in fold(events, ending).choices[0].message.parts]

    first, again, other, unnamed = ids("r1"), ids("r1"), ids("r2"), ids("")
    assert first == again
    assert len({*first, *other, *unnamed, *ids("")}) == 8


def test_the_usage_object_is_kept_digit_by_digit() -> None:
    usage = b'{"prompt_tokens": 1, "completion_tokens":2,\n "cost": 0.10, "big": 12345678901234567890123}'
    text = b'{"choices":[{"index":0,"message":{"content":"\\"usage\\": {}"},"finish_reason":"stop"}],"usage" : ' + usage
    _, ending = decode_whole(decoder(), text + b',"service_tier":"flex"}')
    assert ending.finished.usage.native == usage.decode()
    assert ending.finished.service_tier == "flex"


def test_an_xai_answer_counts_its_reasoning_as_output() -> None:
    usage = {
        "prompt_tokens": 52,
        "completion_tokens": 161,
        "total_tokens": 2102,
        "completion_tokens_details": {"reasoning_tokens": 1889},
    }
    _, ending = decode_stream(decoder(), [delta({"content": "x"}, "stop"), frame({"choices": [], "usage": usage})])
    found = ending.finished.usage
    assert (found.input_tokens, found.output_tokens, found.reasoning_tokens) == (52, 161 + 1889, 1889)


def test_closing_twice_says_the_same() -> None:
    under_test = decoder()
    under_test.feed(delta({"content": "x"}, "stop"), StreamCompleteResponse().events)
    first, second = StreamCompleteResponse(), StreamCompleteResponse()
    assert under_test.close(first.events) == under_test.close(second.events)
    assert first == second
