import pytest

from settled_records import CASES
from trunkline_server.ledger.terminal_line import terminal_line

LINES = {
    "plain": "11:06:40.123 answered   fast -> openai/gpt-5.4  1.20 s  12 in, 30 out  key alice  req_plain",
    "stream": "11:06:40.123 answered   fast -> openai/gpt-5.4  1.20 s (first token 0.20 s)  100 in, 30 out  $0.001250"
    "  key alice  req_stream",
    "fallback": "11:06:40.123 answered   fast -> openai/gpt-5.4  1.25 s  12 in, 30 out  2 attempts  key alice"
    "  req_fallback",
    "silent": "11:06:40.123 failed (provider_silent)  fast  1.20 s  key alice  req_silent",
}


@pytest.mark.parametrize("case", LINES)
def test_a_request_is_one_line_that_says_how_it_went(case: str) -> None:
    assert terminal_line(CASES[case]()) == LINES[case]


@pytest.mark.parametrize("case", CASES)
def test_a_line_is_short_and_moves_no_cursor(case: str) -> None:
    record = CASES[case]()
    record.model = "\x1b[2J" + record.model
    line = terminal_line(record)
    assert line.isprintable()
    assert record.request_id in line
    assert len(line) < 600
