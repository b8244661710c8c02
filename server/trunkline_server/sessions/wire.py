"""ConverseResponse as bytes, put together from batches that are bytes already.

Batches come from the engine as StreamCompleteResponse, whose fields RequestEvents has with the same numbers. Protobuf
messages concatenate: repeated fields append, and of a single field the last one counts. So nothing is copied field by
field. https://protobuf.dev/programming-guides/encoding/#last-one-wins
"""

from collections.abc import Iterable
from typing import Final

_VARINT, _BYTES = 0, 2
_SMALL: Final = 0x80


def _tag(number: int, kind: int) -> bytes:
    return bytes(((number << 3) | kind,))


_BATCHES: Final = _tag(1, _BYTES)  # ConverseResponse
_SEQUENCE: Final = _tag(2, _VARINT)  # ConverseResponse
_FIRST_EVENT: Final = _tag(2, _VARINT)  # RequestEvents
_REQUEST_ID: Final = _tag(3, _BYTES)  # RequestEvents
_CONVERSATION: Final = _tag(4, _BYTES)  # RequestEvents


def varint(value: int) -> bytes:
    """A whole number that is not negative."""
    if value < _SMALL:
        return bytes((value,))
    found = bytearray()
    while value >= _SMALL:
        found.append((value & 0x7F) | _SMALL)
        value >>= 7
    found.append(value)
    return bytes(found)


def request_id_field(request_id: str) -> bytes:
    """RequestEvents.request_id, to be made once for each request."""
    data = request_id.encode()
    return b"%b%b%b" % (_REQUEST_ID, varint(len(data)), data)


def request_events(batches: Iterable[bytes], first_event: int, request_id: bytes, conversation: bytes = b"") -> bytes:
    """RequestEvents of these StreamCompleteResponses; `request_id` is that field, `conversation` the message."""
    found = b"%b%b%b%b" % (b"".join(batches), _FIRST_EVENT, varint(first_event), request_id)
    if conversation:
        found += b"%b%b%b" % (_CONVERSATION, varint(len(conversation)), conversation)
    return found


def converse_response(requests: Iterable[bytes], sequence: int) -> bytes:
    """ConverseResponse with these RequestEvents."""
    parts: list[bytes] = []
    for events in requests:
        parts += (_BATCHES, varint(len(events)), events)
    parts += (_SEQUENCE, varint(sequence))
    return b"".join(parts)


def numbered(notice: bytes, sequence: int) -> bytes:
    """ConverseResponse, so far without its number."""
    return b"%b%b%b" % (notice, _SEQUENCE, varint(sequence))
