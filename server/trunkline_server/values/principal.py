"""Who calls, once a key has been recognized."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A virtual key's holder as far as requests, limits and the ledger are concerned; never the secret."""

    key: str
    """The key's name in the configuration."""
    project: str = ""
    team: str = ""
    models: Sequence[str] = ("*",)
    """Patterns (`fnmatch`) of the model names it may ask for."""
    debug: bool = False
    """Whether it may look into the gateway: see running requests, have the log say what is done for its own."""

    def may_use(self, model: str) -> bool:
        """Whether the model's name, as clients ask for it, is one of those allowed."""
        return "*" in self.models or any(fnmatchcase(model, pattern) for pattern in self.models)


ANONYMOUS = Principal(key="anonymous", debug=True)
"""The caller of a gateway that has no keys configured."""
