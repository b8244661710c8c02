"""What the configuration must know of the provider table, which lies above it and is handed in."""

from collections.abc import Mapping
from typing import Protocol


class KindFacts(Protocol):
    """A row of the provider table, as far as settings depend on it."""

    @property
    def base_url(self) -> str:
        """Its own address; empty: the settings must give one."""
        ...

    @property
    def api_key_env(self) -> str:
        """The environment variable its credential usually stands in; empty: none is usual."""
        ...

    @property
    def dialect(self) -> str:
        """The wire language it usually speaks."""
        ...

    @property
    def dialects(self) -> tuple[str, ...]:
        """All wire languages that it serves."""
        ...

    @property
    def google_cloud(self) -> bool:
        """Whether its address is made of a project and a location of Google Cloud."""
        ...


Kinds = Mapping[str, KindFacts]
"""The provider table by the names of its rows."""
