"""Anthropic's count of a request's tokens: https://platform.claude.com/docs/en/build-with-claude/token-counting."""

from typing import Final

from trunkline.v1 import CompleteRequest, CountTokensResponse
from trunkline_server.dialects.anthropic.encode import encode_body, wire_request
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import Json, count_in, read_object
from trunkline_server.dialects.translation import Translation
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest

_PATH: Final = "/messages/count_tokens"
# On Google Cloud the body names the model: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/count-tokens
_CLOUD_PATH: Final = "/publishers/{publisher}/models/count-tokens:rawPredict"
_COUNTED: Final = (
    "model",
    "betas",
    "cache_control",
    "mcp_servers",
    "messages",
    "output_config",
    "system",
    "thinking",
    "tool_choice",
    "tools",
)


def encode_count(request: CompleteRequest, target: Target) -> WireRequest:
    """The call that counts, for the body that an answer would be asked for with."""
    translation = Translation(target)
    body = encode_body(request, translation, stream=False)
    counted: Json = {name: body[name] for name in _COUNTED if name in body}
    publisher = target.provider.kind.anthropic.publisher
    if not publisher:
        return wire_request(_PATH, counted, translation, stream=False)
    counted["model"] = target.model.removeprefix(f"{publisher}/")
    return wire_request(_CLOUD_PATH.format(publisher=publisher), counted, translation, stream=False)


def read_count(body: bytes) -> CountTokensResponse:
    """`input_tokens`."""
    count = count_in(read_object(body), "input_tokens")
    if count is None:
        raise MalformedFrameError("it has no input_tokens")
    return CountTokensResponse(input_tokens=count)
