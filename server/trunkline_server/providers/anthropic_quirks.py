"""How the places that serve Claude's wire differ, as data."""

from dataclasses import dataclass
from typing import Final

OLD_VERSION: Final = "2023-06-01"
NEW_VERSION: Final = "2026-10-21"
"""The first version that refuses sampling parameters, whatever the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnthropicQuirks:
    """What one kind of provider takes of the Messages API. The defaults are Anthropic's own."""

    publisher: str = ""
    """Who the models belong to; it stands in the path with the model, as on Google Cloud. Empty: the body names the
    model."""
    body_version: str = ""
    """What the body says of the version of the wire (`anthropic_version`). Empty: a header says it."""
    media_urls: bool = True
    """Whether it fetches pictures and documents by their addresses."""
    file_ids: bool = True
    """Whether it holds uploaded files."""
    automatic_cache: bool = True
    """Whether it places a cache breakpoint by itself, by `cache_control` at the top of the body."""
    service_tiers: bool = True
    """Whether it has tiers and speeds."""


ANTHROPIC: Final = AnthropicQuirks()
"""https://platform.claude.com/docs/en/api/messages"""

# https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
CLAUDE_ON_VERTEX: Final = AnthropicQuirks(
    publisher="anthropic",
    body_version="vertex-2023-10-16",
    media_urls=False,
    file_ids=False,
    automatic_cache=False,
    service_tiers=False,
)
"""Claude on Google Cloud."""
