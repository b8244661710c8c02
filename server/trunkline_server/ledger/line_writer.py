"""Lines on their way to a file descriptor that may be slow, such as a full pipe, without ever waiting for it."""

import asyncio
import os
import threading
import time

import orjson

from trunkline_server.telemetry.timestamp import utc_time

STDERR = 2
MAX_HELD_BYTES = 4 * 1024 * 1024
# Each batch wakes the thread twice, which makes the event loop wait for a moment: few large ones cost least.
BATCH_BYTES = 256 * 1024
BATCH_DELAY_S = 0.1
CLOSE_TIMEOUT_S = 2.0

_RETRY_S = 0.02


class LineWriter:
    """Collects lines and lets one thread write them, many at a time.

    Any thread may call `write`. What does not fit is dropped and counted; the next batch that gets through ends with a
    line {"kind": "dropped", "lines": n}.
    """

    def __init__(self, fd: int = STDERR, *, max_held_bytes: int = MAX_HELD_BYTES) -> None:
        """`fd` stays open when the writer is closed."""
        self._fd = fd
        self._max_held_bytes = max_held_bytes
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._line_count = 0
        self._held_bytes = 0
        self._unreported = 0
        self._closing = False
        self._filled = threading.Event()
        """Something is to be written."""
        self._urgent = threading.Event()
        """It should be written now, not when more has come."""
        self._idle = threading.Event()
        """Nothing is held."""
        self._idle.set()
        self.dropped = 0
        """Lines lost so far."""
        # A daemon, because a write to a full pipe never returns and must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="trunkline-lines", daemon=True)
        self._thread.start()

    def write(self, text: bytes, lines: int = 1) -> None:
        """Takes whole lines, each with its line feed. Returns at once."""
        with self._lock:
            if self._closing or self._held_bytes + len(text) > self._max_held_bytes:
                self.dropped += lines
                self._unreported += lines
                return
            first = not self._lines
            self._lines.append(text)
            self._line_count += lines
            self._held_bytes += len(text)
            urgent = self._held_bytes >= BATCH_BYTES
            if first:
                self._idle.clear()
        # Outside the lock, since each of these may wake the thread, which would only wait for it.
        if first:
            self._filled.set()
        if urgent and not self._urgent.is_set():
            self._urgent.set()

    def flush(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Waits until all that is held is written; False if it takes longer. Not for the event loop."""
        self._urgent.set()
        return self._idle.wait(timeout_s)

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Writes what is held, for at most `timeout_s`. Lines that come later are dropped."""
        with self._lock:
            self._closing = True
        self._urgent.set()
        self._filled.set()
        await asyncio.to_thread(self._thread.join, timeout_s)

    def _run(self) -> None:
        while True:
            self._filled.wait()
            self._urgent.wait(BATCH_DELAY_S)
            with self._lock:
                self._filled.clear()
                self._urgent.clear()
                closing = self._closing
                batch, self._lines = self._lines, []
                size, count = sum(map(len, batch)), self._line_count
                self._line_count = 0
                lost, self._unreported = self._unreported, 0
            if lost:
                batch.append(_dropped_line(lost))
            written = self._write_all(b"".join(batch))
            with self._lock:
                self._held_bytes -= size
                if not written:
                    self.dropped += count
                    self._unreported += lost + count
                if not self._lines:
                    self._idle.set()
            if closing:
                return

    def _write_all(self, data: bytes) -> bool:
        """False if the descriptor does not take it: its reader is gone, or the disk is full."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                time.sleep(_RETRY_S)  # another owner of the same pipe made it non-blocking, and it is full
            except OSError:
                return False
        return True


def _dropped_line(lines: int) -> bytes:
    return orjson.dumps(
        {"kind": "dropped", "time": utc_time(time.time()), "lines": lines}, option=orjson.OPT_APPEND_NEWLINE
    )
