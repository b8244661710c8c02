"""The provider's count of a request's tokens: https://platform.openai.com/docs/api-reference/responses/input-tokens."""

from typing import Final

import orjson

from trunkline.v1 import CompleteRequest, CountTokensResponse
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import count_in, read_object
from trunkline_server.dialects.openai_responses.encode import encode_body
from trunkline_server.dialects.translation import Translation
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest

PATH: Final = "/responses/input_tokens"

# What bears on the count, and is all that this call takes.
_COUNTED: Final = (
    "model",
    "input",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "previous_response_id",
    "conversation",
    "truncation",
)


def encode_count(request: CompleteRequest, target: Target) -> WireRequest | None:
    """The call that counts the body that `/responses` would get; None: this provider does not count."""
    if not target.provider.kind.responses.counts_tokens:
        return None
    translation = Translation(target)
    body = encode_body(request, translation, stream=False)
    counted = {name: body[name] for name in _COUNTED if name in body}
    return WireRequest(path=PATH, body=orjson.dumps(counted), stream=False, notes=translation.notes)


def read_count(body: bytes) -> CountTokensResponse:
    """`input_tokens`."""
    total = count_in(read_object(body), "input_tokens")
    if total is None:
        raise MalformedFrameError("it has no input_tokens")
    return CountTokensResponse(input_tokens=total)
