"""Names that both directions of the dialect use."""

from typing import Final

DIALECT: Final = "gemini"
"""The dialect's name: in the registry, in `extensions`, in server tools and in opaque parts."""
