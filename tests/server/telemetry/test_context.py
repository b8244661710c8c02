import random
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trunkline.trace import TraceIds
from trunkline_server.telemetry.context import (
    MAX_TRACESTATE_CHARS,
    MAX_TRACESTATE_MEMBERS,
    Parent,
    bounded_tracestate,
    parse_traceparent,
    random_span_id,
    random_trace_id,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
SAMPLED = Parent(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, True)
UNSAMPLED = SAMPLED._replace(sampled=False)

VALID = {
    f"00-{TRACE}-{SPAN}-01": SAMPLED,
    f"00-{TRACE}-{SPAN}-00": UNSAMPLED,
    f"00-{TRACE}-{SPAN}-03": SAMPLED,  # level 2: the trace id is random
    f"00-{TRACE}-{SPAN}-02": UNSAMPLED,
    f"00-{TRACE}-{SPAN}-fe": UNSAMPLED,
    f"00-{TRACE}-{SPAN}-ff": SAMPLED,
    f" \t00-{TRACE}-{SPAN}-01 ": SAMPLED,  # HTTP allows white space around a value
    f"cc-{TRACE}-{SPAN}-01": SAMPLED,
    f"01-{TRACE}-{SPAN}-01-what-the-future-will-be-like": SAMPLED,
    f"fe-{TRACE}-{SPAN}-01-": SAMPLED,
    f"00-{'0' * 31}1-{'0' * 15}1-01": Parent(1, 1, True),
    f"00-{'f' * 32}-{'f' * 16}-01": Parent(2**128 - 1, 2**64 - 1, True),
}
INVALID = {
    "empty": "",
    "not one": "canary",
    "version ff": f"ff-{TRACE}-{SPAN}-01",
    "more in version 00": f"00-{TRACE}-{SPAN}-01-more",
    "a dash more in version 00": f"00-{TRACE}-{SPAN}-01-",
    "more without a dash": f"01-{TRACE}-{SPAN}-01more",
    "a line break in what follows": f"01-{TRACE}-{SPAN}-01-a\nb",
    "a line break at the end": f"00-{TRACE}-{SPAN}-01\n",
    "zero trace": f"00-{'0' * 32}-{SPAN}-01",
    "zero span": f"00-{TRACE}-{'0' * 16}-01",
    "upper-case trace": f"00-{TRACE.upper()}-{SPAN}-01",
    "upper-case span": f"00-{TRACE}-{SPAN.upper()}-01",
    "upper-case version": f"CC-{TRACE}-{SPAN}-01",
    "upper-case flags": f"00-{TRACE}-{SPAN}-0A",
    "short version": f"0-{TRACE}-{SPAN}-01",
    "long version": f"000-{TRACE}-{SPAN}-01",
    "short trace": f"00-{TRACE[1:]}-{SPAN}-01",
    "long trace": f"00-{TRACE}0-{SPAN}-01",
    "short span": f"00-{TRACE}-{SPAN[1:]}-01",
    "long span": f"00-{TRACE}-{SPAN}0-01",
    "short flags": f"00-{TRACE}-{SPAN}-1",
    "no flags": f"00-{TRACE}-{SPAN}",
    "flags no hex": f"00-{TRACE}-{SPAN}-0g",
    "another separator": f"00_{TRACE}_{SPAN}_01",
    "signs and underscores that int() takes": f"00-+{TRACE[1:16]}_{TRACE[17:]}-{SPAN}-01",
    "digits of another script": f"00-{TRACE[:-1]}٣-{SPAN}-01",
    "two of them": f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
}


@pytest.mark.parametrize(("text", "parent"), VALID.items(), ids=VALID)
def test_a_valid_traceparent_names_the_callers_span(text: str, parent: Parent) -> None:
    assert parse_traceparent(text) == parent


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_an_invalid_traceparent_counts_as_none(text: str) -> None:
    assert parse_traceparent(text) is None


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans(), st.integers(1, 2**64 - 1))
def test_what_goes_out_is_read_as_what_it_is(trace_id: int, own: int, sampled: bool, attempt: int) -> None:
    ids = TraceIds(trace_id, own, 0, sampled)
    assert parse_traceparent(ids.traceparent(attempt)) == Parent(trace_id, attempt, sampled)


@given(st.text(st.sampled_from("0123456789abcdefABCDEF-, _"), max_size=70) | st.text(max_size=70))
@example(f"00-{TRACE}-{SPAN}-01")
def test_whatever_is_taken_for_a_traceparent_has_valid_ids(text: str) -> None:
    parent = parse_traceparent(text)
    if parent is not None:
        assert 0 < parent.trace_id < 2**128
        assert 0 < parent.span_id < 2**64
        assert f"-{parent.trace_id:032x}-{parent.span_id:016x}-" in text


LONG_MEMBER = "vendor=" + "v" * 200
MEMBERS = [f"k{number}={'v' * 40}" for number in range(20)]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
        ("a=1 ,\tb=2, ,", "a=1 ,\tb=2, ,"),
        ("a=" + "1" * (MAX_TRACESTATE_CHARS - 2), "a=" + "1" * (MAX_TRACESTATE_CHARS - 2)),
        ("a=" + "1" * (MAX_TRACESTATE_CHARS - 1), ""),
        (f"a=1,{LONG_MEMBER},{LONG_MEMBER},{LONG_MEMBER},b=2", "a=1,b=2"),
        (",".join(MEMBERS), ",".join(MEMBERS[:11])),
        (",".join(["a=1"] * MAX_TRACESTATE_MEMBERS), ",".join(["a=1"] * MAX_TRACESTATE_MEMBERS)),
        (",".join(["a=1"] * (MAX_TRACESTATE_MEMBERS + 1)), ""),
        ("a=1\r\nx-injected: 1", ""),
        ("a=\x00", ""),
        ("a=é", ""),
    ],
)
def test_tracestate_is_passed_on_as_it_is_or_without_whole_entries(text: str, kept: str) -> None:
    assert bounded_tracestate(text) == kept


@given(st.text(st.sampled_from(string.printable), max_size=2000) | st.text(max_size=2000))
def test_tracestate_is_bounded_and_fit_for_a_header(text: str) -> None:
    kept = bounded_tracestate(text)
    assert len(kept) <= MAX_TRACESTATE_CHARS
    assert kept.replace("\t", "").isprintable()
    assert kept.isascii()
    assert not kept or set(kept.split(",")) <= set(text.split(","))


class ZeroFirst(random.Random):
    """Draws a zero, then as usual."""

    def __init__(self) -> None:
        super().__init__(1)
        self.drawn = 0

    def getrandbits(self, k: int, /) -> int:
        self.drawn += 1
        return 0 if self.drawn == 1 else super().getrandbits(k)


def test_ids_are_never_zero() -> None:
    assert random_trace_id(ZeroFirst()) > 0
    assert random_span_id(ZeroFirst()) > 0


def test_ids_use_all_their_bits() -> None:
    rng = random.Random(7)  # noqa: S311 the same in every run
    traces = [random_trace_id(rng) for _ in range(64)]
    spans = [random_span_id(rng) for _ in range(64)]
    assert max(traces).bit_length() == 128
    assert max(spans).bit_length() == 64
    assert len({*traces, *spans}) == 128
