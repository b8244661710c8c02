"""Batches of events as OpenAI's stream of chunks."""

import base64
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_gateway import batch, begun, done, failed, finished, learned, said, started, stopped
from trunkline.answer import AnswerBuilder
from trunkline.errors import OverloadedError, ProviderBadAnswerError
from trunkline.v1 import (
    Audio,
    Citation,
    Event,
    FinishReason,
    HeartbeatEvent,
    Image,
    Media,
    Part,
    Reasoning,
    RoutingReport,
    ServerToolCall,
    SummaryPiece,
    TokenLogprob,
    ToolCall,
    ToolKind,
    Usage,
)
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_bridge.openai.chat_stream import ChunkEncoder

GOLDENS = Path(__file__).parent / "goldens"
CALLS = FinishReason.FINISH_REASON_TOOL_CALLS
DONE = "data: [DONE]\n\n"


def encoder(*, include_usage: bool = False, functions: bool = False) -> ChunkEncoder:
    return ChunkEncoder(request_id="req_0", model="asked", include_usage=include_usage, functions=functions)


def encode(events: Iterable[Event], *, include_usage: bool = False, functions: bool = False) -> str:
    """All events in one batch."""
    return encoder(include_usage=include_usage, functions=functions).encode(batch(*events)).decode()


def chunks_of(text: str) -> list[dict[str, Any]]:
    """The data objects; comments and [DONE] left out."""
    frames = [frame for frame in text.split("\n\n") if frame.startswith("data: ") and frame != "data: [DONE]"]
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


def deltas_of(text: str, choice: int = 0) -> list[dict[str, Any]]:
    """What a choice was told after its first chunk, up to and without the chunk that ends it."""
    found = [entry for chunk in chunks_of(text) for entry in chunk["choices"] if entry["index"] == choice]
    return [entry["delta"] for entry in found if entry["finish_reason"] is None][1:]


def call(name: str, *pieces: str, index: int, kind: "ToolKind.ValueType" = ToolKind.TOOL_KIND_FUNCTION) -> list[Event]:
    return [
        begun(Part(tool_call=ToolCall(id=f"id_{name}", name=name, kind=kind)), index=index),
        *(Event(part=index, arguments=piece) for piece in pieces),
        done(index=index),
    ]


def everything() -> list[Event]:
    """Two choices that use nearly all there is, ended in the order that event.proto gives."""
    return [
        started("req_0123456789ab"),
        begun(Part(reasoning=Reasoning())),
        Event(reasoning="hm"),
        Event(reasoning=', "so"'),
        done(),
        begun(index=1),
        said("Café\n", index=1),
        begun(Part(refusal=""), choice=1),
        Event(choice=1, refusal="no"),
        said(" is open", index=1),
        learned(
            Part(
                citations=[Citation(url="https://x.test", title="X", start=0, end=4)],
                logprobs=[TokenLogprob(token="Caf", logprob=-0.5, utf8=b"Caf")],
            ),
            index=1,
        ),
        done(index=1),
        *call("f", '{ "a":', " 1 }", index=2),
        *call("g", "raw", index=3, kind=ToolKind.TOOL_KIND_CUSTOM),
        done(choice=1),
        Event(heartbeat=HeartbeatEvent(silent_ms=15000)),
        stopped(CALLS, native="tool_use"),
        stopped(FinishReason.FINISH_REASON_REFUSAL, native="refusal", choice=1),
        finished(Usage(input_tokens=5, output_tokens=2, reasoning_tokens=1)),
    ]


@pytest.mark.parametrize(("name", "include_usage"), [("stream.sse", False), ("stream_with_usage.sse", True)])
def test_a_stream_is_the_golden_one(name: str, include_usage: bool) -> None:
    assert encode(everything(), include_usage=include_usage) == (GOLDENS / name).read_text()


@given(st.data(), st.booleans())
def test_however_events_are_batched_the_stream_says_the_same(data: st.DataObject, include_usage: bool) -> None:
    events = everything()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events) - 1))))
    made = encoder(include_usage=include_usage)
    pieces = [
        made.encode(batch(*events[start:end])) for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)
    ]
    assert made.finished
    assert meaning(b"".join(pieces).decode()) == meaning(encode(events, include_usage=include_usage))


def meaning(text: str) -> list[dict[str, Any]]:
    """The chunks, with the report, and log probabilities, on chunks of their own wherever they came."""
    assert text.endswith(DONE)
    *chunks, last = (part for chunk in chunks_of(text) for part in without_logprobs(chunk))
    report = last.pop("trunkline")
    if last["choices"] and last["choices"][0]["finish_reason"] is None:
        assert last["choices"][0]["delta"] == {}
    else:
        chunks.append(last)
    return [*chunks, report]


def without_logprobs(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    if not (chunk["choices"] and chunk["choices"][0]["logprobs"] and chunk["choices"][0]["delta"]):
        return [chunk]
    (entry,) = chunk["choices"]
    return [chunk | {"choices": [entry | {"logprobs": None}]}, chunk | {"choices": [entry | {"delta": {}}]}]


@given(st.data())
def test_a_stream_put_together_is_the_whole_answer(data: st.DataObject) -> None:
    events = [started(), *data.draw(st.lists(parts(), max_size=6).map(numbered)), stopped(), finished()]
    whole = AnswerBuilder()
    whole.add(batch(*events))
    message = chat_completion(whole.response())["choices"][0]["message"]
    together = put_together(encode(events))
    for name in ("content", "refusal", "reasoning_content", "tool_calls"):
        assert (together.get(name) or None) == (message.get(name) or None)
    assert together.get("annotations", []) == message["annotations"]


def parts() -> st.SearchStrategy[list[Event]]:
    """One part, from its start to its end, as part 0."""
    pieces = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=3)
    return st.one_of(
        pieces.map(lambda found: [begun(), *(said(piece) for piece in found), done()]),
        pieces.map(lambda found: [begun(Part(text=found[0], citations=[Citation(url="u")])), done()]),
        pieces.map(lambda found: [begun(Part(refusal="")), *(Event(refusal=piece) for piece in found), done()]),
        pieces.map(
            lambda found: [begun(Part(reasoning=Reasoning())), *(Event(reasoning=piece) for piece in found), done()]
        ),
        pieces.map(
            lambda found: [
                begun(Part(reasoning=Reasoning())),
                *(Event(summary=SummaryPiece(paragraph=at, text=piece)) for at, piece in enumerate(found)),
                done(),
            ]
        ),
        pieces.map(lambda found: call("f", *found, index=0)),
        st.builds(lambda: call("g", index=0)),
    )


def numbered(found: Sequence[Sequence[Event]]) -> list[Event]:
    events = []
    for index, part in enumerate(found):
        for event in part:
            event.part = index
            events.append(event)
    return events


def put_together(text: str) -> dict[str, Any]:
    """As the SDK does it."""
    message: dict[str, Any] = {}
    for entry in (entry for chunk in chunks_of(text) for entry in chunk["choices"]):
        for name, value in entry["delta"].items():
            if name == "tool_calls":
                (made,) = value
                calls = message.setdefault(name, [])
                if made["index"] == len(calls):
                    calls.append({key: part for key, part in made.items() if key != "index"})
                else:
                    calls[made["index"]]["function"]["arguments"] += made["function"]["arguments"]
            elif isinstance(value, str) and message.get(name):
                message[name] += value
            else:
                message[name] = value
    return message


def test_the_first_chunk_of_each_choice_tells_the_role() -> None:
    text = encode(everything())
    for choice in (0, 1):
        entries = [entry for chunk in chunks_of(text) for entry in chunk["choices"] if entry["index"] == choice]
        assert [entry["delta"].get("role") for entry in entries] == ["assistant"] + [None] * (len(entries) - 1)


def test_indexes_of_calls_count_calls_and_not_parts() -> None:
    text = encode([started(), begun(), said("x"), *call("f", "{}", index=4), *call("g", "{}", index=7)])
    calls = [made for delta in deltas_of(text) for made in delta.get("tool_calls", [])]
    assert [(made["index"], made.get("id")) for made in calls] == [(0, "id_f"), (0, None), (1, "id_g"), (1, None)]


def test_pieces_of_calls_that_run_side_by_side_find_their_place() -> None:
    first, second = call("f", "1", index=0), call("g", "2", index=1)
    text = encode([started(), first[0], second[0], second[1], first[1]])
    pieces = [made for delta in deltas_of(text) for made in delta["tool_calls"] if "id" not in made]
    assert pieces == [{"index": 1, "function": {"arguments": "2"}}, {"index": 0, "function": {"arguments": "1"}}]


def test_what_a_call_turns_out_to_have_is_told_on_the_call() -> None:
    late = Part(tool_call=ToolCall(malformed=True), extensions={"openai_chat": '{"extra_content":1}'})
    text = encode([started(), begun(Part(tool_call=ToolCall(id="c"))), Event(arguments="{}"), done(late)])
    assert deltas_of(text)[-1] == {"tool_calls": [{"index": 0, "extra_content": 1}]}


def test_the_name_of_a_call_may_come_late() -> None:
    late = Part(tool_call=ToolCall(id="c", name="f"))
    text = encode([started(), begun(Part(tool_call=ToolCall())), learned(late), Event(arguments="{}")])
    assert deltas_of(text)[1] == {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}


def test_parts_may_begin_with_what_they_hold() -> None:
    text = encode(
        [
            started(),
            begun(Part(refusal="no")),
            begun(Part(audio=Audio(id="a", media=Media(data=b"\x00"))), index=1),
            begun(Part(tool_call=ToolCall(id="c", name="f", arguments="{}")), index=2),
            done(index=2),
        ]
    )
    assert deltas_of(text) == [
        {"refusal": "no"},
        {"audio": {"id": "a", "data": "AA=="}},
        {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    ]


def test_a_call_without_arguments_ends_with_an_empty_object() -> None:
    text = encode([started(), *call("f", index=0), *call("g", index=1, kind=ToolKind.TOOL_KIND_CUSTOM)])
    assert [delta["tool_calls"][0].get("function") for delta in deltas_of(text)] == [
        {"name": "f", "arguments": ""},
        {"arguments": "{}"},
        None,
    ]


def test_calls_of_the_functions_api_have_room_for_one() -> None:
    events = [started(), *call("f", '{"a":1}', index=0), *call("g", "{}", index=1), stopped(CALLS), finished()]
    text = encode(events, functions=True)
    assert deltas_of(text) == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a":1}'}},
        {"tool_calls": [{"index": 0, "id": "id_g", "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ]
    assert chunks_of(text)[-1]["choices"][0]["finish_reason"] == "function_call"


def test_sound_comes_in_pieces_and_its_transcript_as_what_is_new() -> None:
    text = encode(
        [
            started(),
            begun(Part(audio=Audio(id="audio_1"))),
            Event(media=b"\x00\x01\x02"),
            learned(Part(audio=Audio(transcript="hel"))),
            learned(Part(audio=Audio(transcript="hello"))),
            done(Part(audio=Audio(expires_at_ms=5999))),
        ]
    )
    assert [delta["audio"] for delta in deltas_of(text)] == [
        {"id": "audio_1"},
        {"data": base64.b64encode(b"\x00\x01\x02").decode()},
        {"transcript": "hel"},
        {"transcript": "lo"},
        {"expires_at": 5},
    ]


def test_a_summary_is_thinking_paragraph_by_paragraph() -> None:
    pieces = [(0, "a"), (0, "b"), (1, "c")]
    text = encode(
        [
            started(),
            begun(Part(reasoning=Reasoning())),
            *(Event(summary=SummaryPiece(paragraph=paragraph, text=piece)) for paragraph, piece in pieces),
            learned(Part(reasoning=Reasoning(summary=["d"]))),
        ]
    )
    assert [delta["reasoning_content"] for delta in deltas_of(text)] == ["a", "b", "\n\nc", "\n\nd"]


def test_sources_are_told_once_at_their_places_in_the_whole_text() -> None:
    text = encode(
        [
            started(),
            begun(),
            said("one "),
            learned(Part(citations=[Citation(url="a", start=0, end=3), Citation(title="a document")])),
            done(),
            begun(index=1),
            said("two", index=1),
            done(Part(citations=[Citation(url="b", title="B")]), index=1),
            stopped(),
            finished(),
        ]
    )
    annotations = deltas_of(text)[-1]["annotations"]
    assert [tuple(made["url_citation"].values()) for made in annotations] == [("a", "", 0, 3), ("b", "B", 4, 7)]
    assert chunks_of(text)[-1]["trunkline"]["omitted"] == ["citation"]


def test_what_has_no_chunk_is_named_at_the_end() -> None:
    text = encode(
        [
            started(),
            begun(Part(image=Image(media=Media(mime_type="image/png")))),
            Event(media=b"x"),
            done(),
            begun(Part(server_tool_call=ServerToolCall(name="web_search")), index=1),
            Event(part=1, arguments="{}"),
            Event(usage=Usage(input_tokens=1)),
            stopped(),
            finished(),
        ]
    )
    assert deltas_of(text) == []
    assert chunks_of(text)[-1]["trunkline"]["omitted"] == ["image", "server_tool_call"]


@pytest.mark.parametrize(("name", "part"), [("content", Part(text="")), ("refusal", Part(refusal=""))])
@pytest.mark.parametrize("include_usage", [False, True])
def test_log_probabilities_stand_on_the_chunk_of_their_text(name: str, part: Part, include_usage: bool) -> None:
    def spoken(word: str) -> list[Event]:
        piece = Event(text=word) if name == "content" else Event(refusal=word)
        return [piece, learned(Part(logprobs=[TokenLogprob(token=word, logprob=-0.5)]))]

    made = encoder(include_usage=include_usage)
    text = made.encode(batch(started(), begun(part), *spoken("a"), *spoken("b"))).decode()
    entries = [chunk["choices"][0] for chunk in chunks_of(text)][1:]
    assert [(entry["delta"], entry["logprobs"][name][0]["token"]) for entry in entries] == [
        ({name: "a"}, "a"),
        ({name: "b"}, "b"),
    ]
    assert all(("usage" in chunk) == include_usage for chunk in chunks_of(text))
    late = made.encode(batch(*spoken("c")[1:])).decode()
    assert [(e["delta"], e["logprobs"][name][0]["token"]) for c in chunks_of(late) for e in c["choices"]] == [({}, "c")]


def test_log_probabilities_of_one_choice_do_not_land_on_another() -> None:
    words = learned(Part(logprobs=[TokenLogprob(token="x")]))
    text = encode([started(), begun(), begun(choice=1), said("a"), said("b", choice=1), words])
    found = [chunk["choices"][0] for chunk in chunks_of(text)][2:]
    assert [(entry["index"], entry["delta"], entry["logprobs"] is not None) for entry in found] == [
        (0, {"content": "a"}, False),
        (1, {"content": "b"}, False),
        (0, {}, True),
    ]


def test_members_of_one_vendor_come_back_where_they_stood() -> None:
    ending = stopped()
    ending.choice_finished.stop_sequence = "END"
    ending.choice_finished.extensions["openai_chat"] = '{"content_filter_results":{},"message":{"annotations2":[1]}}'
    last = finished()
    last.finished.extensions["openai_chat"] = '{"x_groq":{"id":"r"},"id":"not ours"}'
    last.finished.service_tier = "default"
    last.finished.system_fingerprint = "fp"
    text = encode([started(), begun(), said("x"), done(), ending, last])
    assert deltas_of(text)[-1] == {"annotations2": [1]}
    chunk = chunks_of(text)[-1]
    assert chunk["choices"][0]["content_filter_results"] == {}
    assert chunk["choices"][0]["stop_reason"] == "END"
    assert (chunk["x_groq"], chunk["id"]) == ({"id": "r"}, "chatcmpl-1")
    assert (chunk["service_tier"], chunk["system_fingerprint"]) == ("default", "fp")


def test_the_explanation_of_a_refusal_is_a_refusal() -> None:
    ending = stopped(FinishReason.FINISH_REASON_CONTENT_FILTER, native="SAFETY")
    ending.choice_finished.finish_detail = "blocked: violence"
    assert deltas_of(encode([started(), ending])) == [{"refusal": "blocked: violence"}]


def test_the_report_does_not_hold_up_the_end_of_a_choice() -> None:
    made = encoder()
    assert '"finish_reason":"stop"' in made.encode(batch(started(), begun(), said("x"), done(), stopped())).decode()
    (chunk,) = chunks_of(made.encode(batch(finished())).decode())
    assert chunk["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}]
    assert chunk["trunkline"]["provider_response_id"] == "resp_9"


def test_a_failure_is_kept_and_ends_the_stream_without_done() -> None:
    made = encoder()
    error = OverloadedError("too much", retry_after_ms=5)
    ending = failed(error)
    ending.failed.report.target = "fake/fake-1"
    text = made.encode(batch(started(), begun(), said("x"), ending, said("never"))).decode()
    assert deltas_of(text) == [{"content": "x"}]
    assert made.failure is not None
    assert made.failure.to_failure() == error.to_failure()
    assert made.failure.report == RoutingReport(target="fake/fake-1")
    assert not made.finished
    assert made.encode(batch(said("never"))) == b""


def test_an_end_that_is_none_is_a_failure() -> None:
    made = encoder()
    ending = stopped(FinishReason.FINISH_REASON_UNSPECIFIED, native="MALFORMED_FUNCTION_CALL")
    text = made.encode(batch(started(), begun(), said("x"), done(), ending, finished())).decode()
    assert isinstance(made.failure, ProviderBadAnswerError)
    assert 'finish_reason":"' not in text


def test_what_is_no_part_of_the_answer_is_left_out() -> None:
    resumed = Event()
    resumed.resumed.target = "b/m"
    assert encode([Event(heartbeat=HeartbeatEvent(silent_ms=15000)), resumed]) == ""


def test_nothing_is_sent_before_there_is_something_to_say() -> None:
    assert encode([started()]) == ""
