"""Requests as bodies of Gemini's wire."""

from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.v1 import CompleteRequest
from trunkline_server.dialects.extensions import merge_extensions
from trunkline_server.dialects.fields_set import fields_set
from trunkline_server.dialects.gemini.contents import encode_contents
from trunkline_server.dialects.gemini.generation_config import generation_config
from trunkline_server.dialects.gemini.model_path import method_path
from trunkline_server.dialects.gemini.names import DIALECT
from trunkline_server.dialects.gemini.tools import encode_tools
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.pairing import check_pairs
from trunkline_server.dialects.translation import NO_SUCH_PARAMETER, Translation
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest

# https://ai.google.dev/api/generate-content: without alt=sse a stream comes as one JSON array.
_WHOLE, _STREAM = "generateContent", "streamGenerateContent"
_AS_EVENTS: Final = "?alt=sse"

_TIERS: Final[Mapping[str, str]] = {
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
}
_AUTO_TIER: Final = "auto"

_OF_TOOLS: Final = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
_PLACELESS: Final = ("end_user", "verbosity", "prediction")
_REST: Final = frozenset({"service_tier", "metadata", "prompt_cache", *_PLACELESS})


def encode_request(request: CompleteRequest, target: Target, *, stream: bool) -> WireRequest:
    """The request as this target takes it. JSON texts within it have been found to be JSON before."""
    translation = Translation(target)
    path = method_path(_STREAM, translation) + _AS_EVENTS if stream else method_path(_WHOLE, translation)
    body = encode_body(request, translation)
    if request.HasField("routing") and request.routing.strict:
        translation.check_strict()
    return WireRequest(path=path, body=orjson.dumps(body), stream=stream, notes=translation.notes)


def encode_body(request: CompleteRequest, translation: Translation) -> Json:
    """The body of `:generateContent`, which is the same for a stream."""
    body: Json = {}
    messages, present = request.messages[:], fields_set(request)
    check_pairs(messages)
    encode_contents(messages, body, translation)
    if not _OF_TOOLS.isdisjoint(present):
        encode_tools(request, body, translation)
    if config := generation_config(request, present, translation):
        body["generationConfig"] = config
    _put_store(request, body, translation)
    if not _REST.isdisjoint(present):
        _put_rest(request, body, translation)
    if "extensions" in present:
        merge_extensions(body, request.extensions, "", translation, DIALECT)
    return body


def _put_store(request: CompleteRequest, body: Json, translation: Translation) -> None:
    if translation.target.provider.kind.gemini.store:
        body["store"] = request.store
    elif request.store:
        translation.drop("store")


def _put_rest(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """What stands at the top of the body, or has no place in it; all in `_REST`."""
    if request.service_tier and request.service_tier != _AUTO_TIER:
        if tier := _TIERS.get(request.service_tier):
            body["serviceTier"] = tier
        else:
            translation.drop("service_tier", f"the provider has {', '.join(sorted(set(_TIERS.values())))}")
    if request.metadata:
        if translation.target.provider.kind.gemini.labels:
            body["labels"] = {key: request.metadata[key] for key in sorted(request.metadata)}
        else:
            translation.drop("metadata")
    if request.HasField("prompt_cache"):
        translation.drop("prompt_cache", "the provider caches by itself, or what `cachedContent` names")
    for name in _PLACELESS:
        if getattr(request, name):
            translation.drop(name, NO_SUCH_PARAMETER)
