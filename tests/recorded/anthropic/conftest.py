"""Each test here runs for every record of the Messages API with the aspect that it takes as its argument."""

import pytest

from recorded_messages import MESSAGES
from recorded_rows import generate_rows, write_summary


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A row for each record."""
    generate_rows(metafunc, MESSAGES)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was checked."""
    write_summary(terminalreporter, MESSAGES, "tests/recorded/anthropic")
