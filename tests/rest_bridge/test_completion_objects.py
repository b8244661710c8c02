"""Answers as OpenAI's older text_completion, whole and streamed."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_gateway import batch, begun, done, failed, finished, learned, said, started, stopped
from trunkline.answer import AnswerBuilder
from trunkline.errors import OverloadedError, ProviderBadAnswerError
from trunkline.v1 import Citation, Event, FinishReason, HeartbeatEvent, Part, Reasoning, TokenLogprob, Usage
from trunkline_bridge.openai.completion_objects import CompletionEncoder, text_completion

LENGTH = FinishReason.FINISH_REASON_LENGTH
FILTERED = FinishReason.FINISH_REASON_CONTENT_FILTER


def encoder(*, include_usage: bool = False) -> CompletionEncoder:
    return CompletionEncoder(request_id="req_0", model="asked", include_usage=include_usage)


def chunks_of(events: Iterable[Event], *, include_usage: bool = False) -> list[dict[str, Any]]:
    text = encoder(include_usage=include_usage).encode(batch(*events)).decode()
    *frames, end, rest = text.split("\n\n")
    assert (end, rest) == ("data: [DONE]", "")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


def whole(events: Iterable[Event]) -> dict[str, Any]:
    answer = AnswerBuilder()
    answer.add(batch(*events))
    return text_completion(answer.response())


def entry(text: str, *, index: int = 0, **more: object) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": None} | more


def two_choices() -> list[Event]:
    return [
        started(),
        begun(),
        said("one "),
        begun(choice=1),
        said("two", choice=1),
        said("and more"),
        done(),
        done(choice=1),
        stopped(LENGTH, native="length"),
        stopped(choice=1),
        finished(),
    ]


def test_a_whole_answer_is_texts() -> None:
    found = whole(two_choices())
    report = found.pop("trunkline")
    assert found == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "fake-1",
        "choices": [entry("one and more", finish_reason="length"), entry("two", index=1, finish_reason="stop")],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 2,
            "total_tokens": 7,
            "prompt_tokens_details": {},
            "completion_tokens_details": {},
        },
        "system_fingerprint": None,
    }
    assert (report["target"], report["provider_response_id"]) == ("fake/fake-1", "resp_9")


def test_a_stream_is_pieces_of_texts() -> None:
    chunks = chunks_of(two_choices())
    assert {(c["id"], c["object"], c["created"], c["model"]) for c in chunks} == {
        ("cmpl-1", "text_completion", 1_700_000_000, "fake-1")
    }
    assert [c["choices"] for c in chunks] == [
        [entry("one ")],
        [entry("two", index=1)],
        [entry("and more")],
        [entry("", finish_reason="length")],
        [entry("", index=1, finish_reason="stop")],
    ]
    assert all("usage" not in c for c in chunks)
    assert chunks[-1]["trunkline"]["target"] == "fake/fake-1"


def test_usage_comes_on_a_last_chunk_of_its_own_if_asked_for() -> None:
    *others, last = chunks_of(two_choices(), include_usage=True)
    assert all(c["usage"] is None and c["choices"] for c in others)
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 7)


def words_with_logprobs() -> list[Event]:
    top = [TokenLogprob(token="Hello", logprob=-0.5), TokenLogprob(token="Hi", logprob=-1.5)]
    return [
        started(),
        begun(),
        said("Hello"),
        learned(Part(logprobs=[TokenLogprob(token="Hello", logprob=-0.5, top=top)])),
        said(" you"),
        learned(Part(logprobs=[TokenLogprob(token=" you", logprob=-0.25)])),
        done(),
        stopped(),
        finished(),
    ]


def test_log_probabilities_are_columns() -> None:
    assert whole(words_with_logprobs())["choices"][0]["logprobs"] == {
        "tokens": ["Hello", " you"],
        "token_logprobs": [-0.5, -0.25],
        "top_logprobs": [{"Hello": -0.5, "Hi": -1.5}, {" you": -0.25}],
        "text_offset": [0, 5],
    }


def test_streamed_log_probabilities_stand_with_their_text() -> None:
    first, second, last = (c["choices"][0] for c in chunks_of(words_with_logprobs()))
    assert (first["text"], first["logprobs"]["tokens"], first["logprobs"]["text_offset"]) == ("Hello", ["Hello"], [0])
    assert (second["text"], second["logprobs"]["top_logprobs"], second["logprobs"]["text_offset"]) == (
        " you",
        None,
        [5],
    )
    assert (last["text"], last["logprobs"]) == ("", None)


@pytest.mark.parametrize(
    "events",
    [
        [begun(Part(refusal="")), Event(refusal="I will not"), done(), stopped(FILTERED, native="content_filter")],
        [begun(Part(refusal="I will not")), done(), stopped(FILTERED, native="content_filter")],
    ],
)
def test_a_refusal_is_what_was_said(events: list[Event]) -> None:
    events = [started(), *events, finished()]
    assert whole(events)["choices"] == [entry("I will not", finish_reason="content_filter")]
    chunks = chunks_of(events)
    assert [c["choices"][0]["text"] for c in chunks] == ["I will not", ""]
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"


def test_the_explanation_of_a_refusal_is_what_was_said() -> None:
    ending = stopped(FILTERED, native="SAFETY")
    ending.choice_finished.finish_detail = "blocked"
    events = [started(), ending, finished()]
    assert whole(events)["choices"] == [entry("blocked", finish_reason="content_filter", native_finish_reason="SAFETY")]
    assert [c["choices"][0]["text"] for c in chunks_of(events)] == ["blocked", ""]


def test_what_a_text_cannot_hold_is_named() -> None:
    events = [
        started(),
        begun(Part(reasoning=Reasoning())),
        Event(reasoning="hm"),
        done(),
        Event(usage=Usage(input_tokens=1)),
        begun(index=1),
        said("x", index=1),
        done(Part(citations=[Citation(url="https://x.test")]), index=1),
        stopped(),
        finished(),
    ]
    found = whole(events)
    assert (found["choices"][0]["text"], found["trunkline"]["omitted"]) == ("x", ["reasoning", "url_citation"])
    chunks = chunks_of(events)
    assert [c["choices"][0]["text"] for c in chunks] == ["x", ""]
    assert chunks[-1]["trunkline"]["omitted"] == ["reasoning", "url_citation"]


def test_members_of_one_vendor_stand_on_the_choice() -> None:
    ending = stopped()
    ending.choice_finished.stop_sequence = "END"
    ending.choice_finished.extensions["openai_chat"] = '{"prompt_logprobs":[1],"message":{"mood":"fine","text":"no"}}'
    late = Part(extensions={"openai_chat": '{"token_ids":[7],"index":9}'})
    events = [started(), begun(), said("x"), done(late), ending, finished()]
    told = entry("x", finish_reason="stop", stop_reason="END", prompt_logprobs=[1])
    assert whole(events)["choices"] == [told | {"token_ids": [7], "mood": "fine"}]
    assert [c["choices"][0] for c in chunks_of(events)] == [
        entry("x"),
        entry("", token_ids=[7]),
        entry("", mood="fine"),
        told | {"text": ""},
    ]


@given(st.data())
def test_however_events_are_batched_the_texts_are_those_of_the_whole(data: st.DataObject) -> None:
    words = st.lists(st.tuples(st.integers(0, 2), st.text(st.characters(exclude_categories=["Cs"]))), max_size=8)
    pieces = data.draw(words)
    events = [
        started(),
        *(begun(choice=choice) for choice in range(3)),
        *(said(text, choice=choice) for choice, text in pieces),
        *(done(choice=choice) for choice in range(3)),
        *(stopped(choice=choice) for choice in range(3)),
        finished(),
    ]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events) - 1))))
    made = encoder()
    sent = b"".join(made.encode(batch(*events[a:b])) for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True))
    together = dict.fromkeys(range(3), "")
    for frame in sent.decode().split("\n\n")[:-2]:
        for choice in json.loads(frame.removeprefix("data: "))["choices"]:
            together[choice["index"]] += choice["text"]
    assert made.finished
    assert together == {choice["index"]: choice["text"] for choice in whole(events)["choices"]}


def test_a_failure_ends_the_stream_without_done() -> None:
    made = encoder()
    error = OverloadedError("too much")
    text = made.encode(batch(started(), begun(), said("x"), failed(error))).decode()
    assert text.count("data: ") == 1
    assert made.failure is not None
    assert made.failure.to_failure() == error.to_failure()


def test_an_end_that_is_none_is_a_failure() -> None:
    made = encoder()
    made.encode(
        batch(started(), begun(), said("x"), done(), stopped(FinishReason.FINISH_REASON_UNSPECIFIED, native=""))
    )
    assert isinstance(made.failure, ProviderBadAnswerError)


def test_what_is_no_part_of_the_answer_is_left_out() -> None:
    resumed = Event()
    resumed.resumed.target = "b/m"
    assert encoder().encode(batch(Event(heartbeat=HeartbeatEvent(silent_ms=15_000)), resumed)) == b""
