"""Rows of tests for recorded traffic, and the summary of a run; used by the conftest of each API's tests."""

from collections import Counter

import pytest

from recorded_traffic import ASPECTS, MOST_EXCEPTIONS, NO_RECORDS, Record, Recording

SUFFIX = "_record"
"""A test that takes `answer_record` runs for every record with the aspect "answer"."""


def generate_rows(metafunc: pytest.Metafunc, recording: Recording) -> None:
    """A row for each record; a test of an exception must fail, every one."""
    for aspect in ASPECTS:
        if aspect + SUFFIX in metafunc.fixturenames:
            excuses = recording.exceptions[aspect]
            rows = [_row(record, excuses.get(record.id, "")) for record in recording.by_aspect[aspect]]
            none = pytest.param(None, id="none", marks=pytest.mark.skip(reason=NO_RECORDS))
            metafunc.parametrize(aspect + SUFFIX, rows or [none])


def write_summary(reporter: pytest.TerminalReporter, recording: Recording, folder: str) -> None:
    """Says how many records were checked by the tests in `folder`, and which are excused."""
    providers = Counter(record.provider for record in recording.records)
    if not providers:
        return
    write = reporter.write_line
    reporter.section(f"recorded traffic, {recording.title}")
    write(f"{providers.total()} records: {', '.join(f'{name} {count}' for name, count in sorted(providers.items()))}")
    for aspect in ASPECTS:
        kept, lost = _tally(reporter, f"{folder}/test_{aspect}s.py::")
        excuses = recording.exceptions[aspect]
        write(f"{aspect}s: {kept} kept, {lost} not, of {len(recording.by_aspect[aspect])}; excused {len(excuses)}")
        for record_id, reason in excuses.items():
            write(f"  {record_id}: {reason}")
    write(f"requests that were not recorded: {providers.total() - len(recording.by_aspect['request'])}")


def few_exceptions(recording: Recording) -> bool:
    """Whether the excused records are at most the share that may be."""
    excused = {record_id for excuses in recording.exceptions.values() for record_id in excuses}
    return len(excused) <= MOST_EXCEPTIONS * len(recording.records)


def _row(record: Record, excuse: str) -> pytest.ParameterSet:
    marks = [pytest.mark.xfail(reason=excuse, strict=True)] if excuse else []
    return pytest.param(record, id=f"{record.provider}-{record.id}", marks=marks)


def _tally(reporter: pytest.TerminalReporter, file: str) -> tuple[int, int]:
    """How many records keep what they say in all tests that ran, and how many fail one, excused or not."""
    outcomes = {category: _ids(reporter, category, file) for category in ("passed", "failed", "xfailed")}
    lost = outcomes["failed"] | outcomes["xfailed"]
    return len(outcomes["passed"] - lost), len(lost)


def _ids(reporter: pytest.TerminalReporter, category: str, file: str) -> set[str]:
    reports = (report for report in reporter.stats.get(category, ()) if report.nodeid.startswith(file))
    return {report.nodeid.partition("[")[2] for report in reports if "[" in report.nodeid}
