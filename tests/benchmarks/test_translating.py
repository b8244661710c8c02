"""What is measured of the dialects is what they do: every dialect has a sample that it reads to its end."""

import pytest

from benchmarks.payloads import answer_text
from benchmarks.translating import SAMPLES, read_event, read_whole
from trunkline_server.dialects.registry import DIALECTS


def test_every_dialect_is_measured() -> None:
    assert DIALECTS.keys() <= SAMPLES.keys()


@pytest.mark.parametrize("name", DIALECTS)
def test_the_answer_is_read_whole(name: str) -> None:
    data, translate = read_whole(name, SAMPLES[name])
    assert 2000 <= len(data) <= 4000
    said = "".join(event.part_started.text + event.text for event in translate().events)
    assert said == answer_text()


@pytest.mark.parametrize("name", DIALECTS)
def test_the_event_is_one_word(name: str) -> None:
    data, read = read_event(name, SAMPLES[name])
    assert b"gateway " in data
    assert [event.text for event in read().events] == ["gateway "]
