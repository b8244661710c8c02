"""Entries of reasoning_details are put together again from whatever pieces a stream sends them in."""

import orjson
import pytest

from folding import decode_stream, fold
from targets import target_of
from trunkline.v1 import StreamCompleteResponse
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.openai_chat.decode import ChatDecoder
from trunkline_server.values.wire import SseFrame


def frame(details: object, said: str = "", finish: str | None = None) -> SseFrame:
    delta = {"reasoning": said, "reasoning_details": details}
    return SseFrame("", orjson.dumps({"id": "r", "choices": [{"delta": delta, "finish_reason": finish}]}))


def entries(*frames: SseFrame) -> list[tuple[str, object]]:
    """The words of each reasoning part, and the entry that it is."""
    answer = fold(*decode_stream(ChatDecoder(target_of("openrouter")), [*frames, frame([], finish="stop")]))
    return [(part.reasoning.text, orjson.loads(part.state.data or b"null")) for part in answer.choices[0].message.parts]


def text(words: str | None = None, index: int | None = 0, **more: object) -> dict[str, object]:
    return {"type": "reasoning.text", "text": words, "index": index, **more}


def test_words_of_one_entry_are_joined_and_its_signature_added() -> None:
    assert entries(frame([text("a")]), frame([text("b")]), frame([text(None, signature="s")])) == [
        ("ab", text("ab", signature="s"))
    ]


@pytest.mark.parametrize(
    "second",
    [
        text("b", 1),
        {"type": "reasoning.summary", "summary": "b", "index": 0},
        text("b", id="two"),
    ],
)
def test_another_index_type_or_id_is_another_entry(second: dict[str, object]) -> None:
    first = text("a", id="one") if "id" in second else text("a")
    assert entries(frame([first]), frame([second])) == [("a", first), ("b", second)]


def test_encrypted_entries_are_never_joined() -> None:
    one = {"type": "reasoning.encrypted", "data": "x", "id": "c", "index": 0}
    assert entries(frame([one]), frame([one])) == [("", one), ("", one)]


def test_a_kind_of_entry_that_is_new_is_kept_as_it_is() -> None:
    new = {"type": "reasoning.picture", "data": {"a": [1]}}
    assert entries(frame([new])) == [("", new)]


def test_words_beside_entries_that_have_none_are_not_lost() -> None:
    hidden = {"type": "reasoning.encrypted", "data": "x"}
    assert entries(frame([hidden], said="aloud")) == [("aloud", None), ("", hidden)]


def test_words_that_both_tell_are_told_once() -> None:
    assert entries(frame([text("a")], said="a")) == [("a", text("a"))]


@pytest.mark.parametrize("details", ["x", [1], [{"type": ["x"]}], [{"type": "reasoning.text", "text": 1}]])
def test_what_is_no_entry_makes_the_frame_malformed(details: object) -> None:
    with pytest.raises(MalformedFrameError):
        ChatDecoder(target_of("openrouter")).feed(frame(details), StreamCompleteResponse().events)


def test_other_providers_words_are_plain_reasoning() -> None:
    decoder = ChatDecoder(target_of("openai_compatible"))
    answer = fold(*decode_stream(decoder, [frame([text("a"), text("b", 1)]), frame([], finish="stop")]))
    [part] = answer.choices[0].message.parts
    assert (part.reasoning.text, part.state.data) == ("ab", b"")
