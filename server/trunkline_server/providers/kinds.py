"""The provider table: one row for each kind of vendor or engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind:
    """What all providers of one kind have in common."""

    name: str
    dialect: str
    """The wire language it speaks; a name in `trunkline_server.dialects`."""
    base_url: str = ""
    """Its own address; empty: the configuration must give one."""
    api_key_env: str = ""
    """The environment variable its credential usually stands in; empty: none is usual."""
