"""Targets to translate for: one of every kind of provider."""

from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target


def kinds_of(dialect: str) -> list[str]:
    """The kinds of provider that speak this wire language."""
    return [name for name, row in KINDS.items() if row.dialect == dialect]


def target_of(kind: str, *, provider: str = "", model: str = "m-1") -> Target:
    """A target of this kind; its provider is named after it unless told otherwise."""
    row = KINDS[kind]
    base_url = row.base_url or "http://127.0.0.1:9/v1"
    return Target.of(Provider(name=provider or kind, kind=row, base_url=base_url), model)
