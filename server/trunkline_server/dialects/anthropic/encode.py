"""Requests as bodies of Claude's wire."""

import re
from typing import Final
from urllib.parse import quote

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import CompleteRequest
from trunkline_server.dialects.anthropic.answer_format import put_format
from trunkline_server.dialects.anthropic.cache_marks import CacheMarks
from trunkline_server.dialects.anthropic.conversation import encode_conversation
from trunkline_server.dialects.anthropic.generation import version_of
from trunkline_server.dialects.anthropic.names import DIALECT
from trunkline_server.dialects.anthropic.parameters import put_max_tokens, put_parameters
from trunkline_server.dialects.anthropic.thinking import put_thinking
from trunkline_server.dialects.anthropic.tools import encode_tools
from trunkline_server.dialects.extensions import merge_extensions
from trunkline_server.dialects.fields_set import fields_set
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.pairing import check_pairs
from trunkline_server.dialects.translation import Translation
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest

_PATH: Final = "/messages"
_VERSION, _BETA = "anthropic-version", "anthropic-beta"
_MAX_TOKENS: Final = "max_tokens"
_OF_TOOLS: Final = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
# The SDK's name for what it sends as a header: https://platform.claude.com/docs/en/api/beta-headers
_BETAS: Final = "betas"
_BETA_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")

# https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai: the path names the model and the method.
_WHOLE, _STREAM = "rawPredict", "streamRawPredict"
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")


def encode_request(request: CompleteRequest, target: Target, *, stream: bool) -> WireRequest:
    """The request as this target takes it. JSON texts within it have been found to be JSON before."""
    translation = Translation(target)
    quirks = target.provider.kind.anthropic
    path = _cloud_path(quirks.publisher, translation, stream=stream) if quirks.publisher else _PATH
    body = encode_body(request, translation, stream=stream)
    if request.HasField("routing") and request.routing.strict:
        translation.check_strict()
    if quirks.publisher:
        body.pop("model")
    return wire_request(path, body, translation, stream=stream)


def wire_request(path: str, body: Json, translation: Translation, *, stream: bool) -> WireRequest:
    """The body with the version of the wire, and the features beyond it, where the target wants to be told of them."""
    headers: dict[str, str] = {}
    if betas := body.pop(_BETAS, None):
        headers[_BETA] = _beta_header(betas)
    if body_version := translation.target.provider.kind.anthropic.body_version:
        body = {"anthropic_version": body_version, **body}
    else:
        headers[_VERSION] = version_of(translation.target)
    return WireRequest(path=path, body=orjson.dumps(body), stream=stream, headers=headers, notes=translation.notes)


def encode_body(request: CompleteRequest, translation: Translation, *, stream: bool) -> Json:
    """The body as Anthropic's own API takes it."""
    body: Json = {"model": translation.target.model}
    marks = CacheMarks(request, translation)
    messages, present = request.messages[:], fields_set(request)
    check_pairs(messages)
    put_max_tokens(request, body, translation)
    tools: Json = {}
    if not _OF_TOOLS.isdisjoint(present):
        encode_tools(request, tools, translation, marks)
    encode_conversation(messages, body, translation, marks)
    body |= tools
    if "response_format" in present:
        put_format(request, body, translation)
    if "reasoning" in present:
        put_thinking(request.reasoning, body, translation)
    put_parameters(request, present, body, translation)
    marks.close(body)
    body["stream"] = stream
    if "extensions" in present:
        # A default of ours gives way to what the extension says.
        default = {} if request.HasField("max_output_tokens") else {_MAX_TOKENS: body.pop(_MAX_TOKENS)}
        merge_extensions(body, request.extensions, "", translation, DIALECT)
        body = default | body
    return body


def _beta_header(betas: object) -> str:
    """The features beyond the API's own that `extensions[anthropic].betas` names."""
    field = f"extensions[{DIALECT}].{_BETAS}"
    if not isinstance(betas, list):
        raise InvalidRequestError.at_field(field, "is not a list of names")
    for name in betas:
        if not isinstance(name, str) or not _BETA_NAME.fullmatch(name):
            raise InvalidRequestError.at_field(field, "holds something else than names of features")
    return ",".join(betas)


def _cloud_path(publisher: str, translation: Translation, *, stream: bool) -> str:
    """Where the model's method is. Clients may name models that nobody listed: an id that leads elsewhere is refused."""
    model = translation.target.model.removeprefix(f"{publisher}/")
    if not _MODEL.fullmatch(model):
        raise translation.refusal("model", "is not the id of a model of this provider")
    return f"/publishers/{publisher}/models/{quote(model, safe='@')}:{_STREAM if stream else _WHOLE}"
