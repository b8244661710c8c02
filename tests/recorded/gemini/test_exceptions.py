"""The table of exceptions is short, and it is of these records."""

import pytest

from recorded_gemini import GEMINI
from recorded_rows import few_exceptions
from recorded_traffic import ASPECTS, NO_RECORDS

pytestmark = pytest.mark.skipif(not GEMINI.records, reason=NO_RECORDS)


def test_exceptions_are_few() -> None:
    assert few_exceptions(GEMINI)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_exceptions_are_recorded(aspect: str) -> None:
    assert GEMINI.exceptions[aspect].keys() <= {record.id for record in GEMINI.by_aspect[aspect]}


def test_both_places_are_recorded() -> None:
    assert {record.provider for record in GEMINI.records} == {"gemini", "vertex"}
