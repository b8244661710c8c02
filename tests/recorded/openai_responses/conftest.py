"""Each test here runs for every record of the Responses API with the aspect that it takes as its argument."""

import pytest

from recorded_responses import RESPONSES
from recorded_rows import generate_rows, write_summary


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A row for each record."""
    generate_rows(metafunc, RESPONSES)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was checked."""
    write_summary(terminalreporter, RESPONSES, "tests/recorded/openai_responses")
