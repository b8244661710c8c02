"""Dialects are found by the names that provider kinds use."""

import pytest

from trunkline_server.dialects.registry import DIALECTS
from trunkline_server.providers.kinds import KINDS


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_listed_under_its_own_name(name: str) -> None:
    assert DIALECTS[name].name == name


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_provider_speaks_a_dialect_that_exists(kind: str) -> None:
    assert KINDS[kind].dialect in DIALECTS
