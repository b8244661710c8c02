import asyncio
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from trunkline_server.ledger.line_writer import BATCH_BYTES, LineWriter

# The smallest pipe Linux makes.
PIPE_BYTES = 4096
PATIENCE_S = 60.0
LINE = orjson.dumps({"kind": "test", "text": "x" * 100}) + b"\n"


class Pipe:
    """A pipe whose reader reads when a test says so."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def fill(self) -> int:
        """So that the next write waits; how many bytes that took."""
        os.set_blocking(self.write_fd, False)
        filled = 0
        try:
            while True:
                filled += os.write(self.write_fd, b"\n" * PIPE_BYTES)
        except BlockingIOError:
            os.set_blocking(self.write_fd, True)
        return filled

    def read_until(self, end: bytes) -> bytes:
        found = b""
        while end not in found:
            found += os.read(self.read_fd, 65536)
        return found

    def read_to_end(self) -> bytes:
        found = b""
        while more := os.read(self.read_fd, 65536):
            found += more
        return found

    def close(self) -> None:
        for fd in (self.read_fd, self.write_fd):
            os.close(fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def eventually(holds: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it holds before the time is over."""
    deadline = time.perf_counter() + timeout_s
    while not holds():
        if time.perf_counter() > deadline:
            return False
        time.sleep(0.001)
    return True


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes out because its time has come."""
    monkeypatch.setattr("trunkline_server.ledger.line_writer.BATCH_DELAY_S", 3600.0)


def entries(text: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in text.split(b"\n") if line]


async def test_lines_come_out_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        writer = LineWriter(file.fileno())
        for number in range(1000):
            writer.write(b"%d\n" % number)
        await writer.close()
    assert path.read_bytes() == b"".join(b"%d\n" % number for number in range(1000))
    assert writer.dropped == 0


@pytest.mark.usefixtures("unhurried")
async def test_many_lines_go_out_in_one_write(pipe: Pipe) -> None:
    writer = LineWriter(pipe.write_fd)
    for _ in range(10):
        writer.write(b"line\n")
    assert await asyncio.to_thread(writer.flush, PATIENCE_S)
    assert os.read(pipe.read_fd, 65536) == b"line\n" * 10
    await writer.close()


@pytest.mark.usefixtures("unhurried")
async def test_much_text_goes_out_before_its_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        writer = LineWriter(file.fileno())
        writer.write(b"x" * BATCH_BYTES)
        assert await asyncio.to_thread(eventually, lambda: path.stat().st_size == BATCH_BYTES, PATIENCE_S)
        await writer.close()


async def test_flush_waits_for_what_is_held_and_no_longer(pipe: Pipe) -> None:
    writer = LineWriter(pipe.write_fd)
    assert writer.flush()
    writer.write(b"line\n")
    assert await asyncio.to_thread(writer.flush)
    assert os.read(pipe.read_fd, 65536) == b"line\n"
    pipe.fill()
    writer.write(b"line\n")
    assert not await asyncio.to_thread(writer.flush, 0.05)
    pipe.read_until(b"line\n")
    await writer.close()


async def test_a_full_pipe_costs_lines_never_time(pipe: Pipe) -> None:
    pipe.fill()
    writer = LineWriter(pipe.write_fd, max_held_bytes=100 * len(LINE))
    for _ in range(1000):
        writer.write(LINE * 2, lines=2)  # which would never return if it waited for the reader
    assert writer.dropped == 2000 - 100
    # The reader wakes up, takes what was held, and what comes after says how much is missing.
    reading = asyncio.create_task(asyncio.to_thread(pipe.read_to_end))
    assert await asyncio.to_thread(writer.flush, PATIENCE_S)
    writer.write(b'{"kind": "last"}\n')
    await writer.close(PATIENCE_S)
    os.close(pipe.write_fd)
    found = await reading
    pipe.write_fd = os.dup(pipe.read_fd)
    kinds = [entry["kind"] for entry in entries(found)]
    assert kinds.count("test") == 100
    # A batch that left while lines were still being lost tells of those until then, and the next of the rest.
    assert sum(entry["lines"] for entry in entries(found) if entry["kind"] == "dropped") == 1900
    assert [kind for kind in kinds if kind != "dropped"][-1] == "last"


async def test_close_does_not_wait_for_a_full_pipe(pipe: Pipe) -> None:
    pipe.fill()
    writer = LineWriter(pipe.write_fd)
    writer.write(b"stuck\n")
    await writer.close(timeout_s=0.05)  # which would never return if it waited for the reader
    pipe.read_until(b"stuck\n")


async def test_a_pipe_that_somebody_made_non_blocking_loses_nothing(pipe: Pipe) -> None:
    pipe.fill()
    os.set_blocking(pipe.write_fd, False)
    writer = LineWriter(pipe.write_fd)
    writer.write(b"line\n" * 10_000, lines=10_000)
    found = await asyncio.to_thread(pipe.read_until, b"line\n" * 10)
    while found.count(b"line\n") < 10_000:
        found += await asyncio.to_thread(os.read, pipe.read_fd, 65536)
    await writer.close()
    assert writer.dropped == 0


async def test_a_reader_that_is_gone_costs_lines_and_is_reported_to_the_next(tmp_path: Path) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    writer = LineWriter(write_fd)
    writer.write(b"lost\nlost\n", lines=2)
    assert await asyncio.to_thread(writer.flush)
    assert writer.dropped == 2
    path = tmp_path / "log"
    with path.open("wb") as file:
        os.dup2(file.fileno(), write_fd)
        writer.write(b'{"kind": "back"}\n')
        await writer.close()
    os.close(write_fd)
    assert [(entry["kind"], entry.get("lines")) for entry in entries(path.read_bytes())] == [
        ("back", None),
        ("dropped", 2),
    ]


async def test_what_comes_after_the_end_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        writer = LineWriter(file.fileno())
        await writer.close()
        writer.write(b"late\n")
    assert path.read_bytes() == b""
    assert writer.dropped == 1


async def test_threads_may_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        writer = LineWriter(file.fileno())

        def write() -> None:
            for _ in range(500):
                writer.write(LINE)

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        await writer.close()
    assert path.read_bytes() == LINE * 2000
