"""Rows of the provider table for Anthropic."""

from typing import Final

from trunkline_server.providers.anthropic_quirks import OLD_VERSION
from trunkline_server.providers.kind import AuthHeader, ProviderKind

ANTHROPIC_KINDS: Final = (
    ProviderKind(
        name="anthropic",
        dialect="anthropic",
        base_url="https://api.anthropic.com/v1",
        api_key_env="ANTHROPIC_API_KEY",
        price_list="anthropic",
        # Its newer SDKs send a Bearer token; this header is taken by all that copy the wire, and counts before it.
        auth=AuthHeader("x-api-key"),
        request_id_headers=("request-id",),
        # https://platform.claude.com/docs/en/api/models-list: unasked it tells twenty.
        listing_path="/models?limit=1000",
        listing_headers={"anthropic-version": OLD_VERSION},
    ),
)
"""Anthropic's own API."""
