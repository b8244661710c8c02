"""Rows of the provider table for Google: the Developer API of Gemini, and the models on Google Cloud."""

from typing import Final

from trunkline_server.providers.anthropic_quirks import CLAUDE_ON_VERTEX
from trunkline_server.providers.gemini_quirks import VERTEX
from trunkline_server.providers.kind import AuthHeader, ProviderKind

# In the address (`?key=`) it would stand in logs; https://ai.google.dev/api#authentication
_KEY: Final = AuthHeader("x-goog-api-key")

# Of v1 and v1beta the second has all that the first has, and what is new.
_DEVELOPER_URL: Final = "https://generativelanguage.googleapis.com/v1beta"

# https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations: these are no regions and have addresses of
# their own.
_HOSTS: Final = {
    "global": "aiplatform.googleapis.com",
    "us": "aiplatform.us.rep.googleapis.com",
    "eu": "aiplatform.eu.rep.googleapis.com",
}

GOOGLE: Final = (
    ProviderKind(
        name="gemini",
        price_list="google",
        dialect="gemini",
        base_url=_DEVELOPER_URL,
        api_key_env="GEMINI_API_KEY",
        auth=_KEY,
        listing_path="/models?pageSize=1000",  # else it tells 50 of them
        telemetry_name="gcp.gemini",
    ),
    ProviderKind(
        name="vertex",
        price_list="google",
        dialect="gemini",
        auth=_KEY,
        listing_path="",
        telemetry_name="gcp.vertex_ai",
        google_cloud=True,
        gemini=VERTEX,
        anthropic=CLAUDE_ON_VERTEX,
        dialects_by_id={"claude": "anthropic", "anthropic/": "anthropic"},
    ),
)
"""Google's two places for the same models."""


def cloud_url(project: str, location: str) -> str:
    """The address of a project's models in a location of Google Cloud, such as "global" or "europe-west4".

    Without a project that of the models for callers with a key (express mode), which belongs to a project.
    """
    host = _HOSTS.get(location, f"{location}-aiplatform.googleapis.com")
    if not project:
        return f"https://{host}/v1beta1"
    return f"https://{host}/v1beta1/projects/{project}/locations/{location}"
