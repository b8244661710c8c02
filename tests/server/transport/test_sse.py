"""Server-sent events are read the same however they arrive."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import ProviderBadAnswerError
from trunkline_server.transport.sse import SseParser
from trunkline_server.values.wire import SseFrame

STREAM = (
    b"\xef\xbb\xbf: comment\n\n"
    b'data: {"a":1}\n\n'
    b"event: error\r\ndata: one\r\ndata: two\r\n\r\n"
    b"data:no space\rdata:  two spaces\r\r"
    b"id: 7\nretry: 10\nunknown: x\n\n\n\n"
    b"data\n\n"
    b'data: {"text":"caf\xc3\xa9 \xe2\x80\xa8 line"}\n\n'
    b"data: [DONE]\n\n"
)
FRAMES = [
    SseFrame("", b'{"a":1}'),
    SseFrame("error", b"one\ntwo"),
    SseFrame("", b"no space\n two spaces"),
    SseFrame("", b""),
    SseFrame("", b'{"text":"caf\xc3\xa9 \xe2\x80\xa8 line"}'),
    SseFrame("", b"[DONE]"),
]


def parse(*pieces: bytes) -> list[SseFrame]:
    parser = SseParser()
    return [frame for piece in pieces for frame in parser.feed(piece)] + parser.close()


def test_a_stream_is_read_by_the_standard() -> None:
    assert parse(STREAM) == FRAMES


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_a_cut_at_any_byte_changes_nothing(at: int) -> None:
    assert parse(STREAM[:at], STREAM[at:]) == FRAMES


def test_bytes_may_come_one_at_a_time() -> None:
    assert parse(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == FRAMES


@given(st.lists(st.integers(0, len(STREAM)), max_size=20).map(sorted))
def test_any_cuts_change_nothing(cuts: list[int]) -> None:
    bounds = [0, *cuts, len(STREAM)]
    assert parse(*(STREAM[a:b] for a, b in pairwise(bounds))) == FRAMES


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_crash_the_parser_and_cuts_do_not_matter(pieces: list[bytes]) -> None:
    assert parse(*pieces) == parse(b"".join(pieces))


def test_an_event_without_its_blank_line_is_given_at_the_end() -> None:
    assert parse(b"data: one\n\ndata: two\n") == [SseFrame("", b"one"), SseFrame("", b"two")]
    assert parse(b"data: one\n\ndata: two") == [SseFrame("", b"one"), SseFrame("", b"two")]


def test_a_frame_is_complete_as_soon_as_its_blank_line_is_there() -> None:
    parser = SseParser()
    assert parser.feed(b"data: x\r\n\r") == [SseFrame("", b"x")]
    assert parser.feed(b"\ndata: y\n\n") == [SseFrame("", b"y")]


def test_a_long_line_in_small_pieces_is_read_up_to_the_limit() -> None:
    parser = SseParser(max_frame_bytes=2_000_000)
    piece = b"x" * 1000
    parser.feed(b"data: ")
    for _ in range(1990):
        assert parser.feed(piece) == []
    assert parser.feed(b"\n\n") == [SseFrame("", piece * 1990)]
    for _ in range(2000):
        parser.feed(piece)
    with pytest.raises(ProviderBadAnswerError, match="2000000 bytes"):
        parser.feed(piece)
