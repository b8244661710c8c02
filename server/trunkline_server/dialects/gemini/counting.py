"""Gemini's count of a request's tokens.

https://ai.google.dev/api/tokens; on Vertex AI the body's members stand at the top, and only those that bear on the count:
https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints/countTokens
"""

from typing import Final

import orjson

from trunkline.v1 import CompleteRequest, CountTokensResponse
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.gemini.encode import encode_body
from trunkline_server.dialects.gemini.model_path import method_path, resource_of
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import Translation
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest

_METHOD: Final = "countTokens"
_COUNTED: Final = ("contents", "systemInstruction", "tools", "generationConfig")


def encode_count(request: CompleteRequest, target: Target) -> WireRequest:
    """The call of `:countTokens` for the body that `:generateContent` would get."""
    translation = Translation(target)
    path = method_path(_METHOD, translation)
    body = encode_body(request, translation)
    if target.provider.kind.google_cloud:
        counted: Json = {name: body[name] for name in _COUNTED if name in body}
    else:
        counted = {"generateContentRequest": {"model": resource_of(target), **body}}
    return WireRequest(path=path, body=orjson.dumps(counted), stream=False, notes=translation.notes)


def read_count(body: bytes) -> CountTokensResponse:
    """`totalTokens`, and what of it is cached content."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedFrameError("it is not JSON") from None
    total = found.get("totalTokens") if isinstance(found, dict) else None
    if type(total) is not int or total < 0:
        raise MalformedFrameError("it has no totalTokens")
    counted = CountTokensResponse(input_tokens=total)
    cached = found.get("cachedContentTokenCount")
    if type(cached) is int and cached >= 0:
        counted.cache_read_tokens = cached
    return counted
