"""The table of exceptions is short, and it and the providers are of these records."""

import pytest

from recorded_responses import RESPONSES, STRANGERS
from recorded_rows import few_exceptions
from recorded_traffic import ASPECTS, NO_RECORDS
from trunkline_server.providers.kinds import KINDS

pytestmark = pytest.mark.skipif(not RESPONSES.records, reason=NO_RECORDS)


def test_exceptions_are_few() -> None:
    assert few_exceptions(RESPONSES)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_exceptions_are_recorded(aspect: str) -> None:
    assert RESPONSES.exceptions[aspect].keys() <= {record.id for record in RESPONSES.by_aspect[aspect]}


def test_all_recorded_providers_but_these_speak_the_dialect() -> None:
    speak = {name for name, kind in KINDS.items() if "openai_responses" in kind.dialects}
    assert {record.provider for record in RESPONSES.records} - speak == STRANGERS


def test_ids_are_unique() -> None:
    assert len({record.id for record in RESPONSES.records}) == len(RESPONSES.records)
