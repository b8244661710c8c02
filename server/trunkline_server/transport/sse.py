"""Server-sent events, as they arrive: bytes in, frames out.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream, read with one
leniency: an event that the end of the stream leaves without its blank line is given out by `close`, because some
engines end that way. `id` and `retry` are ignored: a provider's stream cannot be taken up again.
"""

from trunkline.errors import ProviderBadAnswerError
from trunkline_server.values.wire import SseFrame

MAX_FRAME_BYTES = 16 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SseParser:
    """Holds what of a stream has arrived but does not make a whole frame yet."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[SseFrame]:
        """The frames that `chunk` completes. Raises ProviderBadAnswerError when one grows beyond the limit."""
        if not chunk:
            return []
        if (
            not (self._pending or self._at_start or self._after_cr)
            and chunk.startswith(b"data: ")
            and chunk.find(b"\n") == len(chunk) - 2
            and chunk.endswith(b"\n\n")
            and b"\r" not in chunk
        ):
            return [SseFrame("", chunk[6:-2])]  # one event a read is what a slow model makes
        if self._at_start:
            chunk = self._without_byte_order_mark(chunk)
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        if b"\n" not in chunk:
            # Joined only once a line ends, so that a long line in small pieces is not copied again for each.
            self._hold(chunk)
            return []
        if self._pending:
            chunk = b"".join((*self._pending, chunk))
            self._pending.clear()
            self._pending_bytes = 0
        *blocks, rest = chunk.split(b"\n\n")
        if rest:
            self._hold(rest)
        return [frame for block in blocks if (frame := _frame(block)) is not None]

    def close(self) -> list[SseFrame]:
        """The frame that the end of the stream left without its blank line, if there is one."""
        rest = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        frame = _frame(rest)
        return [] if frame is None else [frame]

    def _hold(self, piece: bytes) -> None:
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        if self._pending_bytes > self._max_frame_bytes:
            raise ProviderBadAnswerError(f"the provider sent an event of more than {self._max_frame_bytes} bytes")

    def _without_byte_order_mark(self, chunk: bytes) -> bytes:
        if len(chunk) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(b"".join((*self._pending, chunk))):
            return chunk
        self._at_start = False
        if self._pending:
            chunk = b"".join((*self._pending, chunk))
            self._pending.clear()
            self._pending_bytes = 0
        return chunk.removeprefix(BYTE_ORDER_MARK)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """CR and CRLF as LF. A CR ends its line at once; a LF right after it, maybe in the next chunk, is its rest."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            if not chunk:
                self._after_cr = False
                return chunk
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _frame(block: bytes) -> SseFrame | None:
    if block.startswith(b"data: ") and b"\n" not in block:  # nearly all there is
        return SseFrame("", block[6:])
    event, data = "", []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value.decode("utf-8", "replace")
    return SseFrame(event, b"\n".join(data)) if data else None
