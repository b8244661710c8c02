"""The table of exceptions is short, and is of these records."""

import pytest

from recorded_messages import MESSAGES
from recorded_rows import few_exceptions
from recorded_traffic import ASPECTS, NO_RECORDS

pytestmark = pytest.mark.skipif(not MESSAGES.records, reason=NO_RECORDS)


def test_exceptions_are_few() -> None:
    assert few_exceptions(MESSAGES)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_exceptions_are_recorded(aspect: str) -> None:
    assert MESSAGES.exceptions[aspect].keys() <= {record.id for record in MESSAGES.by_aspect[aspect]}
