"""Names that both directions of the dialect use."""

from typing import Final

DIALECT: Final = "openai_responses"
"""The dialect's name: in the registry, in `extensions`, in server tools and in opaque parts."""

IMAGE_CALL: Final = "image_generation_call"
"""The item whose `result` is a picture, which the contract holds in a part of its own."""
