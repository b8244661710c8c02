"""Names that both directions of the dialect use."""

from typing import Final

DIALECT: Final = "anthropic"
"""The dialect's name: in the registry, in `extensions`, in server tools and in opaque parts."""

ANSWER_TOOL: Final = "trunkline_answer"
"""The tool that a model without schemas of its own is made to call with its answer; its input is given as text."""
