"""Requests as bodies of the chat completions wire."""

from collections.abc import Callable, Mapping
from typing import Final

import orjson

from trunkline.v1 import (
    CompleteRequest,
    Feature,
    FormatKind,
    Modality,
    PromptCacheMode,
    Verbosity,
)
from trunkline_server.dialects.fields_set import fields_set
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_chat.extensions import merge_extensions
from trunkline_server.dialects.openai_chat.messages import encode_messages
from trunkline_server.dialects.openai_chat.parts import encode_content, encode_part
from trunkline_server.dialects.openai_chat.reasoning import put_reasoning
from trunkline_server.dialects.openai_chat.tools import encode_tools
from trunkline_server.dialects.translation import NO_SUCH_PARAMETER, Translation
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest

PATH: Final = "/chat/completions"

# Numbers and flags that go as they are, in the order of the body: the contract's field and the wire's member.
_SCALARS: Final = (
    ("parallel_tool_calls", "parallel_tool_calls"),
    ("max_output_tokens", "max_completion_tokens"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("min_p", "min_p"),
    ("frequency_penalty", "frequency_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("repetition_penalty", "repetition_penalty"),
    ("seed", "seed"),
    ("choice_count", "n"),
    ("logprobs", "logprobs"),
    ("top_logprobs", "top_logprobs"),
)
# What these say is so anyway where a provider has no such member: there is nothing to leave out.
_DEFAULTS: Final[Mapping[str, object]] = {
    "parallel_tool_calls": True,
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
}
# What a model that is known to sample by itself refuses, as reasoning models do.
_SAMPLING: Final = frozenset({"temperature", "top_p", "top_k", "min_p"})
# A client that asks for these reads the answer by them: leaving them out would give it another answer than it asked.
_INDISPENSABLE: Final = frozenset({"n", "logprobs", "top_logprobs", "logit_bias", "modalities"})

_VERBOSITIES: Final[Mapping[int, str]] = {
    Verbosity.VERBOSITY_LOW: "low",
    Verbosity.VERBOSITY_MEDIUM: "medium",
    Verbosity.VERBOSITY_HIGH: "high",
}
_MODALITIES: Final[Mapping[int, str]] = {
    Modality.MODALITY_TEXT: "text",
    Modality.MODALITY_IMAGE: "image",
    Modality.MODALITY_AUDIO: "audio",
}
_CACHE_MODES: Final[Mapping[int, str]] = {
    PromptCacheMode.PROMPT_CACHE_MODE_AUTOMATIC: "implicit",
    PromptCacheMode.PROMPT_CACHE_MODE_EXPLICIT: "explicit",
}
_CACHE_TTL_S, _CACHE_TTL = 1800, "30m"  # the only one there is
_ANY_OBJECT: Final = orjson.Fragment('{"type":"object"}')
# By ChatQuirks.json_schema.
_SCHEMA_FORMS: Final[Mapping[str, Callable[[Json], Json]]] = {
    "json_schema": lambda schema: {"type": "json_schema", "json_schema": schema},
    "value": lambda schema: {"type": "json", "value": schema["schema"]},
}


def encode_request(request: CompleteRequest, target: Target, *, stream: bool) -> WireRequest:
    """The request as this target takes it. JSON texts within it have been found to be JSON before."""
    translation = Translation(target)
    body: Json = {"model": target.model, "messages": encode_messages(request.messages, translation)}
    encode_tools(request, body, translation)
    present = fields_set(request)
    samples = not target.facts.cannot(Feature.FEATURE_SAMPLING)
    for name, member in _SCALARS:
        if name in present and name in _SAMPLING and not samples:
            translation.drop(name, "the model samples by itself")
        elif name in present:
            _put(body, member, present[name], name, translation)
    _put_texts(request, body, translation)
    if request.HasField("reasoning"):
        put_reasoning(request.reasoning, body, translation)
    if request.HasField("response_format"):
        _put_format(request, body, translation)
    if request.HasField("prompt_cache"):
        _put_prompt_cache(request, body, translation)
    _put_output(request, body, translation)
    if "store" in target.provider.kind.chat.members or request.store:
        _put(body, "store", request.store, "store", translation)
    body["stream"] = stream
    if stream and target.provider.kind.chat.stream_usage:
        body["stream_options"] = {"include_usage": True}
    if request.extensions:
        merge_extensions(body, request.extensions, "", translation)
    if request.routing.strict:
        translation.check_strict()
    return WireRequest(path=PATH, body=orjson.dumps(body), stream=stream, notes=translation.notes)


def _put(body: Json, member: str, value: object, field: str, translation: Translation) -> None:
    """Sets a member under the provider's name for it, or deals with a provider that has none."""
    quirks = translation.target.provider.kind.chat
    if member in quirks.members:
        body[quirks.spellings.get(member, member)] = value
    elif _DEFAULTS.get(member) == value:
        pass
    elif member in _INDISPENSABLE:
        raise translation.refusal(field, NO_SUCH_PARAMETER)
    else:
        translation.drop(field)


def _put_texts(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """What is words, lists and maps and needs little thought."""
    if request.stop:
        limit = translation.target.provider.kind.chat.max_stops
        if limit and len(request.stop) > limit:
            raise translation.refusal("stop", f"the provider takes at most {limit} of them")
        _put(body, "stop", list(request.stop), "stop", translation)
    if request.logit_bias:
        biases = {str(token): _number(request.logit_bias[token]) for token in sorted(request.logit_bias)}
        _put(body, "logit_bias", biases, "logit_bias", translation)
    if verbosity := translation.word(_VERBOSITIES, request.verbosity, "verbosity"):
        _put(body, "verbosity", verbosity, "verbosity", translation)
    if request.service_tier:
        tiers = translation.target.provider.kind.chat.service_tiers
        if tiers and request.service_tier not in tiers:
            translation.drop("service_tier", f"the provider has {', '.join(sorted(tiers))}")
        else:
            _put(body, "service_tier", request.service_tier, "service_tier", translation)
    if request.end_user:
        _put(body, "safety_identifier", request.end_user, "end_user", translation)
    if request.metadata:
        _put(
            body, "metadata", {key: request.metadata[key] for key in sorted(request.metadata)}, "metadata", translation
        )


def _number(value: float) -> float | int:
    """Whole numbers without a fraction: OpenAI documents biases as integers, and some vendors insist."""
    return int(value) if value.is_integer() else value


def _put_format(request: CompleteRequest, body: Json, translation: Translation) -> None:
    wanted, quirks = request.response_format, translation.target.provider.kind.chat
    field = "response_format"
    match wanted.kind:
        case FormatKind.FORMAT_KIND_UNSPECIFIED | FormatKind.FORMAT_KIND_TEXT:
            return  # it is what all give unasked
        case FormatKind.FORMAT_KIND_JSON_OBJECT if quirks.json_object:
            wire: Json = {"type": "json_object"}
        case FormatKind.FORMAT_KIND_JSON_OBJECT:
            translation.emulate(f"{field}.kind", "the provider wants a schema: that of any object is sent")
            wire = _SCHEMA_FORMS[quirks.json_schema]({"name": wanted.name or "response", "schema": _ANY_OBJECT})
        case FormatKind.FORMAT_KIND_JSON_SCHEMA if quirks.json_schema:
            schema: Json = {"name": wanted.name or "response"}
            if wanted.description:
                schema["description"] = wanted.description
            # Embedded byte for byte: the engine has seen that it is JSON.
            schema["schema"] = orjson.Fragment(wanted.schema or "{}")
            if wanted.HasField("strict"):
                schema["strict"] = wanted.strict
            wire = _SCHEMA_FORMS[quirks.json_schema](schema)
        case FormatKind.FORMAT_KIND_JSON_SCHEMA:
            raise translation.refusal(f"{field}.kind", "the provider holds no answer to a schema: ask for json_object")
        case _:
            raise translation.refusal(f"{field}.kind", "is text, json_object or json_schema")
    _put(body, field, wire, field, translation)


def _put_prompt_cache(request: CompleteRequest, body: Json, translation: Translation) -> None:
    wanted = request.prompt_cache
    if wanted.key:
        _put(body, "prompt_cache_key", wanted.key, "prompt_cache.key", translation)
    options = {}
    if mode := translation.word(_CACHE_MODES, wanted.mode, "prompt_cache.mode"):
        options["mode"] = mode
    if wanted.HasField("ttl_s"):
        options["ttl"] = _CACHE_TTL
        known = "prompt_cache_options" in translation.target.provider.kind.chat.members
        if known and wanted.ttl_s != _CACHE_TTL_S:
            translation.rewrite("prompt_cache.ttl_s", "the provider has one lifetime", _CACHE_TTL)
    if options:
        _put(body, "prompt_cache_options", options, "prompt_cache", translation)


def _put_output(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """What the answer is to consist of."""
    if request.output_modalities:
        modalities = [_MODALITIES.get(modality, "") for modality in request.output_modalities]
        if not all(modalities):
            raise translation.refusal("output_modalities", "are text, image and audio")
        if modalities != ["text"]:
            _put(body, "modalities", modalities, "output_modalities", translation)
    if request.HasField("audio_output"):
        wanted = {"voice": request.audio_output.voice, "format": request.audio_output.format}
        _put(body, "audio", {name: word for name, word in wanted.items() if word}, "audio_output", translation)
    if request.prediction:
        parts = [
            encode_part(part, f"prediction[{index}]", translation) for index, part in enumerate(request.prediction)
        ]
        content = encode_content([part for part in parts if part is not None])
        _put(body, "prediction", {"type": "content", "content": content}, "prediction", translation)
