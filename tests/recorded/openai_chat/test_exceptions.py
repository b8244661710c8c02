"""The table of exceptions is short, and it and the providers are of these records."""

import pytest

from recorded_chat import CHAT, STRANGERS
from recorded_rows import few_exceptions
from recorded_traffic import ASPECTS, NO_RECORDS
from trunkline_server.providers.kinds import KINDS

pytestmark = pytest.mark.skipif(not CHAT.records, reason=NO_RECORDS)


def test_exceptions_are_few() -> None:
    assert few_exceptions(CHAT)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_exceptions_are_recorded(aspect: str) -> None:
    assert CHAT.exceptions[aspect].keys() <= {record.id for record in CHAT.by_aspect[aspect]}


def test_all_recorded_providers_but_these_have_a_row() -> None:
    assert {record.provider for record in CHAT.records} - KINDS.keys() == STRANGERS


def test_ids_are_unique() -> None:
    assert len({record.id for record in CHAT.records}) == len(CHAT.records)
