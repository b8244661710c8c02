"""How the two places that serve Gemini's wire differ, as data."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class GeminiQuirks:
    """What one kind of provider takes on `:generateContent`. The defaults are the Developer API's."""

    publisher: str = ""
    """Who the models belong to whose id does not say so; it stands in the path. Empty: the path has no publishers."""
    store: bool = True
    """Whether the body may say whether the request is logged (`store`)."""
    labels: bool = False
    """Whether the body may carry `labels`."""
    server_tool_parts: bool = True
    """Whether calls of its own tools may stand in a conversation, and beside functions (`toolCall`, `toolResponse`)."""
    typed_addresses: bool = False
    """Whether what is given by address needs its type."""
    fetches_for_all: bool = False
    """Whether what lies at any address is fetched for every model, and not just for newer ones."""
    file_ids: bool = True
    """Whether it holds uploaded files."""


DEVELOPER_API: Final = GeminiQuirks()
"""https://ai.google.dev/api/generate-content"""

# https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference and, for what it lacks, the
# converters of the package google-genai 3.6, which refuse it.
VERTEX: Final = GeminiQuirks(
    publisher="google",
    store=False,
    labels=True,
    server_tool_parts=False,
    typed_addresses=True,
    fetches_for_all=True,
    file_ids=False,
)
"""Gemini on Google Cloud."""
