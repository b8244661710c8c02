"""The table of exceptions is short, and it and the providers are of these records."""

import pytest

from recorded_traffic import EXCEPTIONS, MOST_EXCEPTIONS, NO_RECORDS, STRANGERS, chat_records, records_of
from trunkline_server.providers.kinds import KINDS

pytestmark = pytest.mark.skipif(not chat_records(), reason=NO_RECORDS)


def test_exceptions_are_few() -> None:
    excused = {record_id for excuses in EXCEPTIONS.values() for record_id in excuses}
    assert len(excused) <= MOST_EXCEPTIONS * len(chat_records())


@pytest.mark.parametrize("aspect", EXCEPTIONS)
def test_exceptions_are_recorded(aspect: str) -> None:
    assert EXCEPTIONS[aspect].keys() <= {record.id for record in records_of(aspect)}


def test_all_recorded_providers_but_these_have_a_row() -> None:
    assert {record.provider for record in chat_records()} - KINDS.keys() == STRANGERS


def test_ids_are_unique() -> None:
    assert len({record.id for record in chat_records()}) == len(chat_records())
