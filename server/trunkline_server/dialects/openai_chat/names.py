"""Names that both directions of the dialect use."""

from typing import Final

DIALECT: Final = "openai_chat"
"""The dialect's name: in the registry, in `extensions` and in opaque parts."""
