"""Answers of Claude's wire become the right events.

tests/goldens/anthropic/decode/<case>/ holds the answer as a stream (stream.sse), as a whole (body.json) or as both, and
the events of each (stream.txt, body.txt), written anew by GOLDENS=write. Where there are both, they are the same answer.
"""

from pathlib import Path

import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from folding import decode_stream, decode_whole, fold, frames_of, order_violations
from golden_files import check_golden
from repository import ROOT
from targets import target_of
from trunkline.errors import GatewayError, ProviderThrottledError, ProviderUnavailableError, RejectedByProviderError
from trunkline.v1 import Event, StreamCompleteResponse
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_server.dialects.anthropic.decode import MessageDecoder
from trunkline_server.dialects.dialect import Ending, MalformedFrameError
from trunkline_server.transport.sse import SseParser
from trunkline_server.values.wire import SseFrame

GOLDENS = ROOT / "tests/goldens/anthropic/decode"
STREAMS = sorted(GOLDENS.glob("*/stream.sse"))
BODIES = sorted(GOLDENS.glob("*/body.json"))
PAIRS = [path.parent for path in STREAMS if path.with_name("body.json") in BODIES]
CUT = {
    "cut",
    "cut_after_a_block",
    "cut_at_once",
    "cut_before_a_call",
    "cut_in_a_call",
    "cut_in_thinking",
    "nothing",
}
# What the official SDK does not know of, either.
OF_TOMORROW = {"compaction", "mcp", "unknown_block", "unknown_events", "unknown_reason"}
REQUIRED = {
    "cached",
    "citations",
    "cut",
    "max_tokens",
    "parallel_calls",
    "paused",
    "redacted_thinking",
    "refusal",
    "text",
    "thinking",
    "tool_call",
    "web_search",
}


def decoder() -> MessageDecoder:
    return MessageDecoder(target_of("anthropic", model="claude-opus-4-8"))


def frame(value: object) -> SseFrame:
    return SseFrame("", orjson.dumps(value))


def written(events: list[Event], ending: Ending) -> str:
    """Events and ending for people to read: a line each."""
    messages = [*events, Event(finished=ending.finished)]
    values = [MessageToDict(message, preserving_proto_field_name=True) for message in messages]
    # Members of a map come in any order.
    lines = [orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() for value in values]
    return "\n".join([*lines, f"complete: {ending.complete}", ""])


def case_name(path: Path) -> str:
    return path.name if path.is_dir() else path.parent.name


def test_no_case_is_missing() -> None:
    assert {case_name(path) for path in STREAMS} >= REQUIRED


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
    # The vendor's own objects are kept as they came, and may be laid out in another way; so may arguments.
    for answer in (streamed, whole):
        answer.usage.native = laid_out(answer.usage.native)
        for part in answer.choices[0].message.parts:
            for holder, name in (
                (part.tool_call, "arguments"),
                (part.server_tool_call, "arguments"),
                (part.server_tool_call, "native"),
                (part.server_tool_result, "native"),
            ):
                if text := getattr(holder, name):
                    setattr(holder, name, laid_out(text))
            if part.HasField("text") and part.text.startswith("{"):
                part.text = laid_out(part.text)
    assert streamed == whole


def laid_out(text: str) -> str:
    return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS).decode()


@pytest.mark.parametrize("path", [path for path in STREAMS if case_name(path) not in OF_TOMORROW], ids=case_name)
def test_goldens_are_what_the_official_sdk_reads(path: Path) -> None:
    adapter: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
    for one in frames_of(path.read_bytes()):
        if one.event != "ping":
            adapter.validate_json(one.data)
    body = path.with_name("body.json")
    if body in BODIES:
        Message.model_validate_json(body.read_bytes())


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_where_a_stream_is_cut_into_reads_changes_nothing(path: Path) -> None:
    stream = path.read_bytes()
    wanted = frames_of(stream)
    for cut in range(1, len(stream)):
        parser = SseParser()
        assert [*parser.feed(stream[:cut]), *parser.feed(stream[cut:]), *parser.close()] == wanted


@pytest.mark.parametrize("path", [path for path in STREAMS if case_name(path) not in CUT], ids=case_name)
def test_a_stream_that_ends_early_is_no_success(path: Path) -> None:
    frames = frames_of(path.read_bytes())
    reason_at = next(at for at, one in enumerate(frames) if b"message_delta" in one.data)
    for count in range(reason_at + 1):
        events, ending = decode_stream(decoder(), frames[:count])
        assert not ending.complete
        assert order_violations(events) == []
        assert all(event.WhichOneof("kind") != "choice_finished" for event in events)


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_pieces_alone_print_a_stream(path: Path) -> None:
    events, ending = decode_stream(decoder(), frames_of(path.read_bytes()))
    for choice in fold(events, ending).choices:
        assert "".join(event.text for event in events) == "".join(part.text for part in choice.message.parts)


def test_numbers_of_a_whole_answer_keep_their_digits() -> None:
    text = '{"n":12345678901234567890123,"x":1.10,"s":"é"}'
    block = f'{{"type":"tool_use","id":"t","name":"f","input":{text}}}'
    body = f'{{"id":"m","model":"c","content":[{block}],"stop_reason":"tool_use"}}'
    answer = fold(*decode_whole(decoder(), body.encode()))
    assert answer.choices[0].message.parts[0].tool_call.arguments == text


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, ProviderUnavailableError, 529),
        ({"type": "api_error", "message": "Internal server error"}, ProviderUnavailableError, 500),
        ({"type": "rate_limit_error", "message": "Slow down"}, ProviderThrottledError, 429),
        ({"type": "invalid_request_error", "message": "No"}, RejectedByProviderError, 400),
        ({"type": "error_of_tomorrow", "message": "New"}, ProviderUnavailableError, 0),
    ],
)
def test_a_failure_within_a_stream_is_raised(error: object, kind: type[GatewayError], status: int) -> None:
    under_test, batch = decoder(), StreamCompleteResponse()
    for one in frames_of((GOLDENS / "cut/stream.sse").read_bytes()):
        under_test.feed(one, batch.events)
    with pytest.raises(kind) as caught:
        under_test.feed(frame({"type": "error", "error": error, "request_id": "req_1"}), batch.events)
    assert (type(caught.value), caught.value.provider_status) == (kind, status)
    assert not under_test.close(batch.events).complete


def test_a_failure_in_place_of_a_whole_answer_is_raised() -> None:
    body = orjson.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    with pytest.raises(ProviderUnavailableError):
        decoder().whole(body, StreamCompleteResponse().events)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}',
        b'{"type":"content_block_delta","index":-1,"delta":{}}',
        b'{"type":"content_block_start","index":"0","content_block":{"type":"text"}}',
        b'{"type":"content_block_start","index":0,"content_block":{}}',
        b'{"type":"content_block_stop","index":7}',
        b'{"type":"message_delta","delta":[]}',
        b'{"type":"message_start","message":"x"}',
    ],
)
def test_what_cannot_be_read_is_malformed(broken: bytes) -> None:
    if broken:
        with pytest.raises(MalformedFrameError):
            decoder().feed(SseFrame("", broken), StreamCompleteResponse().events)
    with pytest.raises(MalformedFrameError):
        decoder().whole(broken, StreamCompleteResponse().events)


def test_a_refusal_reaches_chat_clients_with_its_explanation() -> None:
    answer = fold(*decode_whole(decoder(), (GOLDENS / "refusal/body.json").read_bytes()))
    choice = chat_completion(answer)["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["refusal"] == "It could do harm."


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
EVENTS = [
    "content_block_delta",
    "content_block_start",
    "content_block_stop",
    "error",
    "message_delta",
    "message_start",
    "message_stop",
]
BLOCKS = [
    "compaction",
    "mcp_tool_result",
    "redacted_thinking",
    "server_tool_use",
    "text",
    "thinking",
    "tool_use",
    "web_search_tool_result",
]
DELTAS = ["citations_delta", "input_json_delta", "signature_delta", "text_delta", "thinking_delta"]
MEMBERS = [
    "citation",
    "citations",
    "content",
    "data",
    "id",
    "input",
    "is_error",
    "model",
    "name",
    "partial_json",
    "signature",
    "stop_details",
    "stop_reason",
    "stop_sequence",
    "text",
    "thinking",
    "usage",
]


def objects(types: list[str]) -> st.SearchStrategy[object]:
    members = st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=4)
    return st.builds(lambda kind, held: {"type": kind, **held}, st.sampled_from(types), members)


events = st.builds(
    lambda kind, index, block, delta, message: {
        "type": kind,
        "index": index,
        "content_block": block,
        "delta": delta,
        "message": message,
    },
    st.sampled_from(EVENTS),
    st.integers(0, 2) | json_values,
    objects(BLOCKS) | json_values,
    objects(DELTAS) | json_values,
    objects(["message"]) | json_values,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events, max_size=8))
def test_nothing_a_vendor_streams_breaks_the_decoder(sent: list[object]) -> None:
    under_test, batch = decoder(), StreamCompleteResponse()
    for value in sent:
        try:
            under_test.feed(frame(value), batch.events)
        except (MalformedFrameError, GatewayError):
            continue
    under_test.close(batch.events)
    assert order_violations(list(batch.events)) == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(objects(BLOCKS), max_size=4) | json_values, objects(["message"]))
def test_nothing_a_vendor_answers_breaks_the_decoder(content: object, message: dict[str, object]) -> None:
    under_test, batch = decoder(), StreamCompleteResponse()
    try:
        under_test.whole(orjson.dumps({**message, "content": content}), batch.events)
    except (MalformedFrameError, GatewayError):
        return
    under_test.close(batch.events)
    assert order_violations(list(batch.events)) == []
