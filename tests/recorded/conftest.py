"""Each test of recorded traffic runs for every record of the aspect that it takes as its argument."""

from collections import Counter

import pytest

from recorded_traffic import EXCEPTIONS, NO_RECORDS, Record, chat_records, records_of

# The argument of a test, and the aspect of the records that it is run for.
ARGUMENTS = {"request_record": "request", "answer_record": "answer", "error_record": "error"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A row for each record; a test of an exception must fail, every one."""
    for argument, aspect in ARGUMENTS.items():
        if argument in metafunc.fixturenames:
            rows = [_row(record, EXCEPTIONS[aspect].get(record.id, "")) for record in records_of(aspect)]
            none = pytest.param(None, id="none", marks=pytest.mark.skip(reason=NO_RECORDS))
            metafunc.parametrize(argument, rows or [none])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many records were checked, and which are excused."""
    providers = Counter(record.provider for record in chat_records())
    if not providers:
        return
    write = terminalreporter.write_line
    terminalreporter.section("recorded traffic, chat completions API")
    write(f"{providers.total()} records: {', '.join(f'{name} {count}' for name, count in sorted(providers.items()))}")
    for argument, aspect in ARGUMENTS.items():
        kept, lost = _tally(terminalreporter, argument)
        write(f"{aspect}s: {kept} kept, {lost} not, of {len(records_of(aspect))}; excused {len(EXCEPTIONS[aspect])}")
        for record_id, reason in EXCEPTIONS[aspect].items():
            write(f"  {record_id}: {reason}")
    write(f"requests that were not recorded: {providers.total() - len(records_of('request'))}")


def _row(record: Record, excuse: str) -> pytest.ParameterSet:
    marks = [pytest.mark.xfail(reason=excuse, strict=True)] if excuse else []
    return pytest.param(record, id=f"{record.provider}-{record.id}", marks=marks)


def _tally(reporter: pytest.TerminalReporter, argument: str) -> tuple[int, int]:
    """How many records keep what they say in all tests that ran, and how many fail one, excused or not."""
    outcomes = {category: _ids(reporter, category, argument) for category in ("passed", "failed", "xfailed")}
    lost = outcomes["failed"] | outcomes["xfailed"]
    return len(outcomes["passed"] - lost), len(lost)


def _ids(reporter: pytest.TerminalReporter, category: str, argument: str) -> set[str]:
    file = f"tests/recorded/test_{ARGUMENTS[argument]}s.py::"
    reports = (report for report in reporter.stats.get(category, ()) if report.nodeid.startswith(file))
    return {report.nodeid.partition("[")[2] for report in reports if "[" in report.nodeid}
