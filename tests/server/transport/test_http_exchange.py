"""One answer from its bytes, however they are cut, and whatever is wrong with them."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import ProviderBadAnswerError, ProviderSilentError
from trunkline_server.transport.http_exchange import MAX_HEAD_BYTES, MAX_HELD_BYTES, HttpExchange
from trunkline_server.transport.inflation import STEP_BYTES
from trunkline_server.transport.unreachable import UnreachableError

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"content-length: 5\r\n\r\nhello"
LARGE = b"x" * 100_000


class Carrier:
    """Remembers what the exchange asked of its connection."""

    def __init__(self) -> None:
        self.connect_ns = 0
        self.released: list[bool] = []
        self.paused = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def release(self, *, reusable: bool) -> None:
        self.released.append(reusable)


def exchange_of(*pieces: bytes, lost: bool = False) -> tuple[HttpExchange, Carrier]:
    """An exchange to which this has come, and perhaps the end of its connection."""
    carrier = Carrier()
    exchange = HttpExchange(carrier)
    for piece in pieces:
        if not carrier.released:
            exchange.received(piece)
    if lost and not carrier.released:
        exchange.lost()
    return exchange, carrier


async def body_of(exchange: HttpExchange) -> bytes:
    await exchange.began()
    found = b""
    while piece := await exchange.read():
        found += piece
    return found


# Each answer with its body, and whether its connection may be used again.
ANSWERS: dict[str, tuple[bytes, bytes, bool]] = {
    "with a length": (HELLO, b"hello", True),
    "in chunks": (OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", b"hello", True),
    "in chunks with trailers": (
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\nstatus: 500\r\n\r\n",
        b"hello",
        True,
    ),
    "empty": (OK + b"content-length: 0\r\n\r\n", b"", True),
    "without content": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "after a 100 and a 103": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + HELLO,
        b"hello",
        True,
    ),
    "that closes": (OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhello", b"hello", False),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello", False),
    "of HTTP/1.0 that keeps its connection": (
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",
        b"hello",
        True,
    ),
    "with a name that comes twice": (OK + b"x: 1\r\nx: 2\r\ncontent-length: 5\r\n\r\nhello", b"hello", True),
    "compressed": (
        OK
        + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(gzip.compress(b"hello", mtime=0))
        + gzip.compress(b"hello", mtime=0),
        b"hello",
        True,
    ),
}
ANSWER = pytest.mark.parametrize(("wire", "body", "reusable"), ANSWERS.values(), ids=ANSWERS)


@ANSWER
async def test_an_answer_is_the_same_a_byte_at_a_time(wire: bytes, body: bytes, reusable: bool) -> None:
    exchange, carrier = exchange_of(*(wire[at : at + 1] for at in range(len(wire))))
    assert (await body_of(exchange), carrier.released) == (body, [reusable])


@given(data=st.data())
async def test_an_answer_is_the_same_however_it_is_cut(data: st.DataObject) -> None:
    wire, body, reusable = data.draw(st.sampled_from(list(ANSWERS.values())))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=8)))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    exchange, carrier = exchange_of(*filter(None, pieces))
    assert (await body_of(exchange), carrier.released) == (body, [reusable])


@ANSWER
async def test_an_answer_cut_off_anywhere_is_an_error(wire: bytes, body: bytes, reusable: bool) -> None:
    for end in range(len(wire)):
        exchange, _ = exchange_of(*([wire[:end]] if end else []), lost=True)
        with pytest.raises((UnreachableError, ProviderBadAnswerError)):
            await body_of(exchange)


@given(st.binary(max_size=200))
async def test_what_is_no_answer_is_an_error_or_a_body_that_its_connection_ends(noise: bytes) -> None:
    exchange, carrier = exchange_of(*([noise] if noise else []), lost=True)
    with pytest.raises((UnreachableError, ProviderBadAnswerError)):
        await exchange.began()
    assert True not in carrier.released


@given(st.binary(min_size=1, max_size=200).filter(lambda noise: noise.strip(b"\r\n")))
async def test_what_follows_an_answer_is_not_given_and_ends_its_connection(noise: bytes) -> None:
    exchange, carrier = exchange_of(HELLO + noise)
    assert (await body_of(exchange), exchange.status, carrier.released) == (b"hello", 200, [False])


async def test_a_second_answer_behind_the_first_is_not_given() -> None:
    exchange, carrier = exchange_of(HELLO + HELLO)
    assert (await body_of(exchange), carrier.released) == (b"hello", [False])


async def test_headers_are_by_lower_case_name_and_the_first_of_a_name_counts() -> None:
    exchange, _ = exchange_of(OK + b"X-One: 1\r\nx-one: 2\r\nCaf\xc3\xa9: y\r\ncontent-length: 0\r\n\r\n")
    assert exchange.headers["x-one"] == "1"


async def test_trailers_change_no_header() -> None:
    exchange, _ = exchange_of(ANSWERS["in chunks with trailers"][0])
    assert exchange.headers == {"transfer-encoding": "chunked"}


async def test_a_switch_of_protocols_is_an_unreadable_answer() -> None:
    exchange, carrier = exchange_of(b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nabc")
    with pytest.raises(UnreachableError):
        await exchange.began()
    assert carrier.released == [False]


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 ",
        OK + b"x: ",
        OK + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: ",
        OK + b"transfer-encoding: chunked\r\n\r\n1;",
    ],
    ids=["status", "header", "trailer", "chunk extension"],
)
async def test_what_frames_a_body_is_limited_in_size(start: bytes) -> None:
    pieces = [b"y" * 1000] * (MAX_HEAD_BYTES // 1000 + 2)
    exchange, carrier = exchange_of(start, *pieces)
    with pytest.raises((UnreachableError, ProviderBadAnswerError)):
        await body_of(exchange)
    assert carrier.released == [False]


async def test_a_head_too_long_is_not_taken_at_once_either() -> None:
    exchange, _ = exchange_of(OK + b"x: " + b"y" * MAX_HEAD_BYTES + b"\r\ncontent-length: 0\r\n\r\n")
    with pytest.raises(UnreachableError):
        await exchange.began()


async def test_what_came_before_a_break_is_given_first() -> None:
    exchange, _ = exchange_of(OK + b"content-length: 9\r\n\r\nhello", lost=True)
    assert await exchange.read() == b"hello"
    with pytest.raises(ProviderBadAnswerError):
        await exchange.read()


async def test_what_fail_says_comes_first_and_stays() -> None:
    exchange, carrier = exchange_of(OK + b"content-length: 9\r\n\r\nhello")
    exchange.fail(ProviderSilentError("too slow"))
    for _ in range(2):
        with pytest.raises(ProviderSilentError):
            await exchange.read()
    assert carrier.released == [False]


async def test_a_provider_faster_than_its_reader_waits() -> None:
    size = MAX_HELD_BYTES + 2 * len(LARGE)
    exchange, carrier = exchange_of(OK + b"content-length: %d\r\n\r\n" % size, LARGE, LARGE)
    assert not carrier.paused
    exchange.received(LARGE)
    assert carrier.paused
    await exchange.read()
    assert not carrier.paused


async def test_a_lingering_exchange_holds_nothing_and_waits_for_nobody() -> None:
    exchange, carrier = exchange_of(OK + b"content-length: 1000000\r\n\r\n", *[LARGE] * 3)
    assert carrier.paused
    exchange.close(linger_s=60)
    for _ in range(7):
        assert not carrier.paused
        exchange.received(LARGE)
    assert carrier.released == [True]


@pytest.mark.parametrize("wbits", [16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS])
async def test_compression_is_undone_in_bounded_steps(wbits: int) -> None:
    deflate = zlib.compressobj(wbits=wbits)
    packed = deflate.compress(b"a" * 5_000_000) + deflate.flush()
    encoding = b"gzip" if wbits > zlib.MAX_WBITS else b"deflate"
    exchange, _ = exchange_of(
        OK + b"content-encoding: %b\r\ncontent-length: %d\r\n\r\n%b" % (encoding, len(packed), packed)
    )
    sizes = []
    while piece := await exchange.read():
        sizes.append(len(piece))
    assert (sum(sizes), max(sizes)) == (5_000_000, STEP_BYTES)


async def test_several_members_of_gzip_are_one_body() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    exchange, _ = exchange_of(OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (len(packed), packed))
    assert await body_of(exchange) == b"one two"


@pytest.mark.parametrize("packed", [gzip.compress(b"hello")[:-9], gzip.compress(b"hello") + b"more", b"plain"])
async def test_a_body_that_is_not_what_its_encoding_says_is_a_bad_answer(packed: bytes) -> None:
    exchange, _ = exchange_of(OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (len(packed), packed))
    with pytest.raises(ProviderBadAnswerError):
        await body_of(exchange)


async def test_an_unknown_compression_still_tells_the_status() -> None:
    exchange, _ = exchange_of(b"HTTP/1.1 503 X\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\n\x0b\x02")
    await exchange.began()
    assert exchange.status == 503
    with pytest.raises(ProviderBadAnswerError):
        await exchange.read()
