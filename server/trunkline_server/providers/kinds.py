"""The provider table: one row for each kind of vendor or engine."""

from collections.abc import Mapping
from typing import Final

from trunkline_server.providers.anthropic import ANTHROPIC_KINDS
from trunkline_server.providers.engines import ENGINES
from trunkline_server.providers.google import GOOGLE
from trunkline_server.providers.kind import ProviderKind
from trunkline_server.providers.model_hosts import MODEL_HOSTS
from trunkline_server.providers.model_makers import MODEL_MAKERS

__all__ = ["KINDS", "ProviderKind"]

KINDS: Final[Mapping[str, ProviderKind]] = {
    row.name: row for row in (*MODEL_MAKERS, *ANTHROPIC_KINDS, *GOOGLE, *MODEL_HOSTS, *ENGINES)
}
"""All rows by name."""
