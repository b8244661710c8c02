"""Answers of Gemini's wire become the right events.

tests/goldens/gemini/decode/<case>/ holds the answer as a stream (stream.sse), as a whole (body.json) or as both, and
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
from trunkline.errors import (
    GatewayError,
    MalformedToolCallError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
)
from trunkline.v1 import Event, FinishReason, StreamCompleteResponse
from trunkline_server.dialects.dialect import Ending, MalformedFrameError
from trunkline_server.dialects.gemini.decode import GeminiDecoder
from trunkline_server.transport.sse import SseParser
from trunkline_server.values.wire import SseFrame

GOLDENS = ROOT / "tests/goldens/gemini/decode"
STREAMS = sorted(GOLDENS.glob("*/stream.sse"))
BODIES = sorted(GOLDENS.glob("*/body.json"))
PAIRS = [path.parent for path in STREAMS if path.with_name("body.json") in BODIES]
CUT = {"cut", "cut_after_a_call", "cut_call", "cut_second_candidate", "cut_thinking", "nothing"}
# What every dialect must be shown to translate.
REQUIRED = {
    "audio_out",
    "blocked_prompt",
    "cut",
    "cut_call",
    "empty_members",
    "filtered",
    "grounding",
    "image_out",
    "line_separators",
    "logprobs",
    "parallel_calls",
    "paused",
    "signed_text",
    "structured",
    "text",
    "thinking",
    "tool_call",
    "truncated",
    "two_candidates",
    "unknown_everything",
    "usage_before_the_finish",
}


def decoder() -> GeminiDecoder:
    return GeminiDecoder(target_of("gemini", model="gemini-3-flash-preview"))


def frame(value: object) -> SseFrame:
    return SseFrame("", orjson.dumps(value))


def candidate(parts: list[object], finish: object = None, **more: object) -> SseFrame:
    return frame({"candidates": [{"content": {"parts": parts}, "finishReason": finish, **more}], "responseId": "r1"})


def written(events: list[Event], ending: Ending) -> str:
    """Events and ending for people to read: a line each."""
    messages = [*events, Event(finished=ending.finished)]
    lines = [orjson.dumps(MessageToDict(m, preserving_proto_field_name=True)).decode() for m in messages]
    return "\n".join([*lines, f"complete: {ending.complete}", ""])


def case_name(path: Path) -> str:
    return path.name if path.is_dir() else path.parent.name


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


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_a_stream_that_was_not_asked_for_as_events_is_the_same_answer(path: Path) -> None:
    chunks = [frame.data for frame in frames_of(path.read_bytes())]
    if case_name(path) in CUT | {"tool_call"}:  # an array that can be read is whole; the digits of this call would go
        return
    answer = fold(*decode_whole(decoder(), b"[" + b",\r\n".join(chunks) + b"]"))
    assert answer == fold(*decode_stream(decoder(), frames_of(path.read_bytes())))


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
    last = max((at for at, one in enumerate(frames) if says_why(one)), default=len(frames))
    for count in range(last):
        events, ending = decode_stream(decoder(), frames[:count])
        assert not ending.complete
        assert order_violations(events) == []


def says_why(one: SseFrame) -> bool:
    return b'"finishReason":"' in one.data or b'"blockReason"' in one.data


@pytest.mark.parametrize("path", STREAMS, ids=case_name)
def test_pieces_alone_print_a_stream(path: Path) -> None:
    events, ending = decode_stream(decoder(), frames_of(path.read_bytes()))
    answer = fold(events, ending)
    for choice in answer.choices:
        printed = "".join(event.text for event in events if event.choice == choice.index)
        assert printed == "".join(part.text for part in choice.message.parts)


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
signatures = st.sampled_from(["", "c2lnbmF0dXJl", "-_8"])
texts = st.tuples(st.booleans(), words | st.just(""), signatures)
calls = st.tuples(
    words, st.dictionaries(words, st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False))
)


def text_part(thought: bool, text: str, signature: str) -> dict[str, object]:
    part: dict[str, object] = {"text": text}
    if thought:
        part["thought"] = True
    if signature:
        part["thoughtSignature"] = signature
    return part


@settings(deadline=None)
@given(
    st.lists(texts | calls, max_size=6),
    st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "OTHER", "CONTINUATION", "new"]),
    st.data(),
)
def test_any_answer_is_the_same_streamed_and_whole(
    said: list[tuple[bool, str, str] | tuple[str, dict[str, float]]], reason: str, data: st.DataObject
) -> None:
    parts: list[object] = [
        text_part(*one) if len(one) == 3 else {"functionCall": {"name": one[0], "args": one[1]}} for one in said
    ]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(parts)), max_size=4)))
    groups = [parts[start:end] for start, end in zip([0, *cuts], [*cuts, len(parts)], strict=True)]
    frames = [candidate(group) for group in groups[:-1]] + [candidate(groups[-1], reason)]
    body = candidate(parts, reason).data
    assert fold(*decode_stream(decoder(), frames)) == fold(*decode_whole(decoder(), body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
MEMBERS = [
    "candidates",
    "usageMetadata",
    "modelVersion",
    "responseId",
    "createTime",
    "promptFeedback",
    "error",
    "blockReason",
    "promptTokenCount",
    "candidatesTokensDetails",
]
CANDIDATE_MEMBERS = [
    "index",
    "content",
    "finishReason",
    "finishMessage",
    "groundingMetadata",
    "citationMetadata",
    "logprobsResult",
    "safetyRatings",
]
PART_MEMBERS = [
    "text",
    "thought",
    "thoughtSignature",
    "functionCall",
    "inlineData",
    "fileData",
    "executableCode",
    "toolResponse",
    "name",
    "args",
    "partialArgs",
    "willContinue",
    "jsonPath",
    "stringValue",
    "mimeType",
    "data",
    "groundingChunks",
    "groundingSupports",
    "chosenCandidates",
    "citations",
    "uri",
]


def objects(names: list[str], inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.dictionaries(st.sampled_from(names), inner, max_size=5)


parts = objects(PART_MEMBERS, json_values | objects(PART_MEMBERS, json_values))
contents = st.fixed_dictionaries({"parts": json_values | st.lists(parts, max_size=3)})
candidates = objects(CANDIDATE_MEMBERS, json_values | contents | parts)
answers = objects(MEMBERS, json_values | st.lists(candidates, max_size=3) | objects(MEMBERS, json_values))

MAX = 2**63 - 1
TWICE = [{"modality": "TEXT", "tokenCount": MAX}] * 2
FAR: list[object] = [{"jsonPath": "$" + ".a" * 300, "numberValue": 1}]


def nested(depth: int) -> dict[str, object]:
    return {"x": nested(depth - 1)} if depth else {}


DEEP = nested(240)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(answers, max_size=4), st.booleans())
@example([{"candidates": [{}], "responseId": []}, {"candidates": [{}]}], False)
@example([{"candidates": [{"content": {"parts": [{"text": "x"}]}, "citationMetadata": {"citations": {}}}]}], False)
@example([{"candidates": [{"content": {"parts": [{"text": "x"}]}, "groundingMetadata": {"groundingChunks": 7}}]}], True)
@example([{"candidates": [{}], "usageMetadata": {"promptTokenCount": MAX, "toolUsePromptTokenCount": MAX}}], False)
@example([{"candidates": [{}], "usageMetadata": {"candidatesTokensDetails": TWICE, "thoughtsTokenCount": MAX}}], False)
@example([{"candidates": [{}], "usageMetadata": DEEP}], False)
@example([{"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "partialArgs": FAR}}]}}]}], False)
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
        b'{"candidates":7}',
        b'{"candidates":[7]}',
        b'{"candidates":[{"index":-1}]}',
        b'{"candidates":[{"index":"0"}]}',
        b'{"candidates":[{"content":"text"}]}',
        b'{"candidates":[{"content":{"parts":7}}]}',
        b'{"candidates":[{"content":{"parts":["text"]}}]}',
        b'{"candidates":[{"content":{"parts":[{"text":7}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"text":"x","thoughtSignature":7}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":"f"}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":[]}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"x"}]}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"%%%%"}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"toolCall":7}]}}]}',
        b'{"promptFeedback":7}',
        b'{"x":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
def test_a_frame_that_says_nothing_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedFrameError) as caught:
        decoder().feed(SseFrame("", data), StreamCompleteResponse().events)
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"responseId":"x"}', b'{"candidates":[]}'])
def test_a_body_without_candidates_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        decoder().whole(body, StreamCompleteResponse().events)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"candidates":null}', b'{"candidates":[]}', b'{"promptFeedback":{}}'])
def test_a_frame_may_mean_nothing(data: bytes) -> None:
    batch, under_test = StreamCompleteResponse(), decoder()
    under_test.feed(SseFrame("", data), batch.events)
    assert (list(batch.events), under_test.finished, under_test.done) == ([], False, False)


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("STOP", FinishReason.FINISH_REASON_STOP),
        ("MAX_TOKENS", FinishReason.FINISH_REASON_LENGTH),
        ("SAFETY", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("RECITATION", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("LANGUAGE", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("BLOCKLIST", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("PROHIBITED_CONTENT", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("SPII", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("IMAGE_SAFETY", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("IMAGE_PROHIBITED_CONTENT", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("IMAGE_RECITATION", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("MODEL_ARMOR", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ("CONTINUATION", FinishReason.FINISH_REASON_PAUSED),
        ("OTHER", FinishReason.FINISH_REASON_UNSPECIFIED),
        ("NO_IMAGE", FinishReason.FINISH_REASON_UNSPECIFIED),
        ("IMAGE_OTHER", FinishReason.FINISH_REASON_UNSPECIFIED),
        ("ESCALATION", FinishReason.FINISH_REASON_UNSPECIFIED),
        ("PUP_LIMITED_DISABLED", FinishReason.FINISH_REASON_UNSPECIFIED),
        ("NEVER_HEARD_OF", FinishReason.FINISH_REASON_UNSPECIFIED),
    ],
)
def test_an_end_keeps_the_vendors_word(native: str, reason: "FinishReason.ValueType") -> None:
    events, ending = decode_stream(decoder(), [candidate([{"text": "x"}], native)])
    finished = events[-1].choice_finished
    assert (finished.finish_reason, finished.native_finish_reason, ending.complete) == (reason, native, True)


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("STOP", FinishReason.FINISH_REASON_TOOL_CALLS),
        ("MAX_TOKENS", FinishReason.FINISH_REASON_LENGTH),
        ("SAFETY", FinishReason.FINISH_REASON_CONTENT_FILTER),
    ],
)
def test_calls_end_as_calls_unless_they_were_cut(native: str, reason: "FinishReason.ValueType") -> None:
    events, _ = decode_stream(decoder(), [candidate([{"functionCall": {"name": "f"}}], native)])
    assert events[-1].choice_finished.finish_reason == reason


@pytest.mark.parametrize(
    "native", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK", "NEW"]
)
def test_a_blocked_prompt_is_an_empty_answer_that_was_filtered(native: str) -> None:
    body = {"promptFeedback": {"blockReason": native}, "usageMetadata": {"promptTokenCount": 4}}
    answer = fold(*decode_whole(decoder(), orjson.dumps(body)))
    [choice] = answer.choices
    assert (choice.finish_reason, choice.native_finish_reason, list(choice.message.parts)) == (
        FinishReason.FINISH_REASON_CONTENT_FILTER,
        native,
        [],
    )
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (4, 0)


@pytest.mark.parametrize(
    ("native", "error"),
    [
        ("MALFORMED_FUNCTION_CALL", MalformedToolCallError),
        ("UNEXPECTED_TOOL_CALL", MalformedToolCallError),
        ("TOO_MANY_TOOL_CALLS", MalformedToolCallError),
        ("MISSING_THOUGHT_SIGNATURE", ProviderBadAnswerError),
        ("MALFORMED_RESPONSE", ProviderBadAnswerError),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_fault_that_stands_for_a_reason_is_raised(native: str, error: type[GatewayError], whole: bool) -> None:
    sent = candidate([{"text": "secret"}], native, finishMessage="Malformed function call: secret(")
    with pytest.raises(error) as caught:
        decode_whole(decoder(), sent.data) if whole else decode_stream(decoder(), [sent])
    assert type(caught.value) is error
    assert (caught.value.target, caught.value.provider_code) == ("gemini/gemini-3-flash-preview", native)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("sent", "error", "status"),
    [
        ({"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}, ProviderUnavailableError, 503),
        ({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}, ProviderThrottledError, 429),
        ({"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}, RejectedByProviderError, 400),
        ({"error": {"status": "UNAUTHENTICATED"}, "candidates": []}, ProviderCredentialsError, 0),
        ({"error": {"message": "m"}}, ProviderUnavailableError, 0),
        ({"error": "it broke"}, ProviderUnavailableError, 0),
    ],
)
def test_a_failure_told_in_band_is_raised(sent: object, error: type[GatewayError], status: int) -> None:
    under_test = decoder()
    under_test.feed(candidate([{"text": "so far"}]), StreamCompleteResponse().events)
    with pytest.raises(error) as caught:
        under_test.feed(frame(sent), StreamCompleteResponse().events)
    assert type(caught.value) is error
    assert (caught.value.target, caught.value.provider_status) == ("gemini/gemini-3-flash-preview", status)


def test_finished_is_said_once_every_candidate_has_its_reason() -> None:
    under_test, events = decoder(), StreamCompleteResponse().events
    seen = []
    for index, reason in [(0, None), (1, None), (0, "STOP"), (1, "STOP"), (2, None), (2, "MAX_TOKENS")]:
        under_test.feed(frame({"candidates": [{"index": index, "finishReason": reason}]}), events)
        seen.append(under_test.finished)
    assert seen == [False, False, False, True, False, True]


def test_content_is_counted_for_an_estimate() -> None:
    under_test, events = decoder(), StreamCompleteResponse().events
    under_test.feed(candidate([{"text": "four"}, {"text": "123", "thought": True}]), events)
    under_test.feed(candidate([{"text": "12", "thoughtSignature": "c2ln"}]), events)
    under_test.feed(candidate([{"functionCall": {"name": "f", "args": {"a": 1}}}]), events)
    assert under_test.content_chars == 4 + 3 + 2 + len('{"a":1}')


def test_a_call_without_an_id_gets_one_that_is_its_own() -> None:
    def ids(response_id: str) -> list[str]:
        calls = [{"functionCall": {"name": name}} for name in "ab"]
        events, ending = decode_stream(
            decoder(), [frame({"responseId": response_id, "candidates": [{"content": {"parts": calls}}]})]
        )
        return [part.tool_call.id for part in fold(events, ending).choices[0].message.parts]

    first, again, other, unnamed = ids("r1"), ids("r1"), ids("r2"), ids("")
    assert first == again
    assert len({*first, *other, *unnamed, *ids("")}) == 8


def test_a_signature_that_is_no_base64_is_kept_as_it_is() -> None:
    events, _ = decode_stream(decoder(), [candidate([{"text": "x", "thoughtSignature": "%%"}], "STOP")])
    part = events[1].part_started
    assert (part.HasField("state"), orjson.loads(part.extensions["gemini"])) == (False, {"thoughtSignature": "%%"})


def test_closing_twice_says_the_same() -> None:
    under_test = decoder()
    under_test.feed(candidate([{"text": "x"}], "STOP"), StreamCompleteResponse().events)
    first, second = StreamCompleteResponse(), StreamCompleteResponse()
    assert under_test.close(first.events) == under_test.close(second.events)
    assert first == second
