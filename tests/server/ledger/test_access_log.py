import os
import timeit
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from golden_files import check_golden
from settled_records import CANARY, CASES, plain
from trunkline_server.ledger.access_log import MAX_TAGS, AccessLog
from trunkline_server.ledger.ledger import Ledger
from trunkline_server.ledger.line_writer import LineWriter
from trunkline_server.values.record import RequestRecord

GOLDENS = Path(__file__).parent / "goldens"
MAX_COST_US = 150
"""Ten times what is aimed at: the machine that runs the tests may be busy."""


class File:
    """An access log that goes to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.writer = LineWriter(self.fd)
        self.ledger: Ledger = AccessLog(self.writer)

    async def lines_of(self, *records: RequestRecord) -> str:
        for record in records:
            self.ledger.record(record)
        await self.ledger.close()
        return self.path.read_text(encoding="utf-8")


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[File]:
    file = File(tmp_path / "log")
    yield file
    await file.writer.close()
    os.close(file.fd)


@pytest.mark.parametrize("case", CASES)
async def test_a_request_and_its_attempts_are_the_lines_of_their_golden(case: str, log: File) -> None:
    text = await log.lines_of(CASES[case]())
    assert CANARY not in text
    check_golden(GOLDENS / f"{case}.jsonl", text)


async def test_there_is_one_line_for_the_request_and_one_for_each_attempt(log: File) -> None:
    records = [CASES[case]() for case in CASES]
    lines = [orjson.loads(line) for line in (await log.lines_of(*records)).splitlines()]
    assert [(line["kind"], line["request_id"]) for line in lines] == [
        (kind, record.request_id)
        for record in records
        for kind in ["request", *["attempt"] * len(record.report.attempts)]
    ]


async def test_tags_are_bounded(log: File) -> None:
    record = plain()
    record.tags = {f"tag-{number:03}": "v" * 1000 for number in range(100)}
    request = orjson.loads((await log.lines_of(record)).splitlines()[0])
    assert request["tags"] == {f"tag-{number:03}": "v" * 256 for number in range(MAX_TAGS)}


async def test_a_record_that_contradicts_itself_is_logged_and_not_raised(
    log: File, caplog: pytest.LogCaptureFixture
) -> None:
    broken = plain()
    broken.attempt_span_ids = []
    assert len((await log.lines_of(broken, plain())).splitlines()) == 2
    assert "the access lines of request req_plain could not be made" in caplog.text


async def test_a_request_costs_the_event_loop_little(log: File) -> None:
    record = plain()
    cost_s = min(timeit.repeat(lambda: log.ledger.record(record), number=200, repeat=5)) / 200
    assert cost_s < MAX_COST_US / 1e6
