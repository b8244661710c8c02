"""W3C trace context as it comes with a call, and ids for what begins here.

See https://www.w3.org/TR/trace-context/. Baggage is not read: it is forwarded or not, as text.
"""

import random
import re
from typing import NamedTuple

# Hex digits are lower case by the recommendation. A later version may append fields, this one may not.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_INVALID_VERSION = "ff"
_SAMPLED = 0x01

# What everybody on the way must be able to carry, and the length of entries that are given up first:
# https://www.w3.org/TR/trace-context/#tracestate-limits
MAX_TRACESTATE_CHARS = 512
MAX_TRACESTATE_MEMBERS = 32
LONG_MEMBER_CHARS = 128


class Parent(NamedTuple):
    """The caller's span, as its traceparent names it."""

    trace_id: int
    """128 bits, never 0."""
    span_id: int
    """64 bits, never 0."""
    sampled: bool
    """Whether the caller records the trace."""


def parse_traceparent(text: str) -> Parent | None:
    """The caller's span; None when the header is not valid, which the recommendation treats as if there were none."""
    match = _TRACEPARENT.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    version, trace_hex, span_hex, flags, more = match.groups()
    if version == _INVALID_VERSION or (version == "00" and more is not None):
        return None
    trace_id, span_id = int(trace_hex, 16), int(span_hex, 16)
    if trace_id == 0 or span_id == 0:
        return None
    return Parent(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def bounded_tracestate(text: str) -> str:
    """The header as it came; if it is too long, without whole entries: long ones first, then the last ones.

    Empty when it could not stand in a header or has more entries than the recommendation allows.
    """
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        return ""
    members = text.split(",")
    if len(members) > MAX_TRACESTATE_MEMBERS:
        return ""
    if len(text) <= MAX_TRACESTATE_CHARS:
        return text
    kept = [member for member in members if len(member) <= LONG_MEMBER_CHARS]
    while len(shortened := ",".join(kept)) > MAX_TRACESTATE_CHARS:
        kept.pop()
    return shortened


def random_trace_id(rng: random.Random) -> int:
    """128 random bits, never 0."""
    while (found := rng.getrandbits(128)) == 0:
        pass
    return found


def random_span_id(rng: random.Random) -> int:
    """64 random bits, never 0."""
    while (found := rng.getrandbits(64)) == 0:
        pass
    return found
