"""Requests as bodies of the Responses wire."""

from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.v1 import CompleteRequest, Feature, FormatKind, Modality, PromptCacheMode, Verbosity
from trunkline_server.dialects.fields_set import FieldsSet, fields_set
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_responses.content import cache_ttl
from trunkline_server.dialects.openai_responses.extensions import merge_request_extensions
from trunkline_server.dialects.openai_responses.items import encode_items
from trunkline_server.dialects.openai_responses.reasoning import encode_reasoning
from trunkline_server.dialects.openai_responses.thinking_models import can_reason, does_reason
from trunkline_server.dialects.openai_responses.tools import encode_tools
from trunkline_server.dialects.prefill import check_prefill
from trunkline_server.dialects.translation import NO_SUCH_PARAMETER, Translation
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest

PATH: Final = "/responses"

# What this API lacks and an answer does without: the contract's fields, and the value that says nothing.
_UNKNOWN: Final[Mapping[str, object]] = {
    "top_k": None,
    "min_p": 0.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "repetition_penalty": 1.0,
    "seed": None,
}
_SAMPLING: Final = ("temperature", "top_p")
# What this API lacks, and what is refused or noted.
_UNHEARD_OF: Final = frozenset(
    ("choice_count", "stop", "logit_bias", "output_modalities", "audio_output", "prediction")
)

_VERBOSITIES: Final[Mapping[int, str]] = {
    Verbosity.VERBOSITY_LOW: "low",
    Verbosity.VERBOSITY_MEDIUM: "medium",
    Verbosity.VERBOSITY_HIGH: "high",
}
_CACHE_MODES: Final[Mapping[int, str]] = {
    PromptCacheMode.PROMPT_CACHE_MODE_AUTOMATIC: "implicit",
    PromptCacheMode.PROMPT_CACHE_MODE_EXPLICIT: "explicit",
}
_ENCRYPTED, _LOGPROBS = "reasoning.encrypted_content", "message.output_text.logprobs"
_NO_LOGPROBS: Final = "a model that reasons does not tell them"


def encode_request(request: CompleteRequest, target: Target, *, stream: bool) -> WireRequest:
    """The request as this target takes it. JSON texts within it have been found to be JSON before."""
    translation = Translation(target)
    body = encode_body(request, translation, stream=stream)
    if request.routing.strict:
        translation.check_strict()
    return WireRequest(path=PATH, body=orjson.dumps(body), stream=stream, notes=translation.notes)


def encode_body(request: CompleteRequest, translation: Translation, *, stream: bool) -> Json:
    """The body of `/responses`."""
    body: Json = {"model": translation.target.model}
    present = fields_set(request)
    check_prefill(request.messages, translation)
    encode_items(request, body, translation)
    if "tools" in present or "tool_choice" in present:
        encode_tools(request, body, translation)
    reasoning = encode_reasoning(request.reasoning, translation) if "reasoning" in present else {}
    if reasoning:
        _put(body, "reasoning", reasoning, "reasoning", translation)
    _put_numbers(present, body, reasoning.get("effort", ""), translation)
    if not present.keys().isdisjoint(_UNHEARD_OF):
        _refuse_unknown(request, translation)
    if "response_format" in present or "verbosity" in present:
        _put_text(request, body, translation)
    _put_words(request, body, translation)
    if "prompt_cache" in present:
        _put_prompt_cache(request, body, translation)
    _put_include(request, body, reasoning.get("effort", ""), translation)
    if "store" in present:
        body["store"] = request.store
    body["stream"] = stream
    if "extensions" in present:
        merge_request_extensions(body, request.extensions, translation)
    # Unless told otherwise the provider keeps all for a month, so that it need not be sent again; but here it is sent.
    body.setdefault("store", False)
    return body


def _put(body: Json, member: str, value: object, field: str, translation: Translation) -> None:
    """Sets a member, or notes that the provider has none such."""
    if member in translation.target.provider.kind.responses.members:
        body[member] = value
    else:
        translation.drop(field)


def _put_numbers(present: FieldsSet, body: Json, effort: str, translation: Translation) -> None:
    if "parallel_tool_calls" in present:
        _put(body, "parallel_tool_calls", present["parallel_tool_calls"], "parallel_tool_calls", translation)
    if "max_output_tokens" in present:
        _put(body, "max_output_tokens", present["max_output_tokens"], "max_output_tokens", translation)
    for name in _SAMPLING:
        if name not in present:
            continue
        if does_reason(translation.target, effort) or translation.target.facts.cannot(Feature.FEATURE_SAMPLING):
            translation.drop(name, "the model samples by itself while it reasons")
        else:
            _put(body, name, present[name], name, translation)
    if not present.keys().isdisjoint(_UNKNOWN):
        for name, nothing in _UNKNOWN.items():
            if name in present and present[name] != nothing:
                translation.drop(name)


def _refuse_unknown(request: CompleteRequest, translation: Translation) -> None:
    """What cannot be had and what a client would miss: it reads the answer by it."""
    if request.choice_count > 1:
        raise translation.refusal("choice_count", "this API gives one answer at a time")
    for name in ("stop", "logit_bias"):
        if getattr(request, name):
            raise translation.refusal(name, NO_SUCH_PARAMETER)
    if any(modality != Modality.MODALITY_TEXT for modality in request.output_modalities):
        raise translation.refusal("output_modalities", "are text; for pictures offer the tool image_generation")
    if request.HasField("audio_output"):
        translation.drop("audio_output", "the answer holds no sound")
    if request.prediction:
        translation.drop("prediction")


def _put_text(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """The form of the answer."""
    text: Json = {}
    if request.HasField("response_format") and (wire := _format(request, translation)):
        text["format"] = wire
    if verbosity := translation.word(_VERBOSITIES, request.verbosity, "verbosity"):
        if "verbosity" in translation.target.provider.kind.responses.members:
            text["verbosity"] = verbosity
        else:
            translation.drop("verbosity")
    if text:
        body["text"] = text


def _format(request: CompleteRequest, translation: Translation) -> Json:
    wanted = request.response_format
    match wanted.kind:
        case FormatKind.FORMAT_KIND_UNSPECIFIED | FormatKind.FORMAT_KIND_TEXT:
            return {}  # it is what all give unasked
        case FormatKind.FORMAT_KIND_JSON_OBJECT:
            return {"type": "json_object"}
        case FormatKind.FORMAT_KIND_JSON_SCHEMA:
            wire: Json = {"type": "json_schema", "name": wanted.name or "response"}
            if wanted.description:
                wire["description"] = wanted.description
            # Embedded byte for byte: the engine has seen that it is JSON.
            wire["schema"] = orjson.Fragment(wanted.schema or "{}")
            if wanted.HasField("strict"):
                wire["strict"] = wanted.strict
            return wire
        case _:
            raise translation.refusal("response_format.kind", "is text, json_object or json_schema")


def _put_words(request: CompleteRequest, body: Json, translation: Translation) -> None:
    if request.service_tier:
        _put(body, "service_tier", request.service_tier, "service_tier", translation)
    if request.end_user:
        _put(body, "safety_identifier", request.end_user, "end_user", translation)
    if request.metadata:
        labels = {key: request.metadata[key] for key in sorted(request.metadata)}
        _put(body, "metadata", labels, "metadata", translation)


def _put_prompt_cache(request: CompleteRequest, body: Json, translation: Translation) -> None:
    wanted = request.prompt_cache
    if wanted.key:
        _put(body, "prompt_cache_key", wanted.key, "prompt_cache.key", translation)
    if "prompt_cache_options" not in translation.target.provider.kind.responses.members:
        if wanted.mode or wanted.HasField("ttl_s"):
            translation.drop("prompt_cache")
        return
    options = {}
    if mode := translation.word(_CACHE_MODES, wanted.mode, "prompt_cache.mode"):
        options["mode"] = mode
    if wanted.HasField("ttl_s"):
        options["ttl"] = cache_ttl(wanted.ttl_s, "prompt_cache.ttl_s", translation)
    if options:
        body["prompt_cache_options"] = options


def _put_include(request: CompleteRequest, body: Json, effort: str, translation: Translation) -> None:
    """What is told on demand only: log probabilities, and the state of reasoning that is to go back."""
    include = []
    target = translation.target
    if target.provider.kind.responses.encrypted_reasoning:
        is_asked_to_reason = effort not in ("", "none")
        if can_reason(target) or (can_reason(target) is None and is_asked_to_reason):
            include.append(_ENCRYPTED)
    if request.logprobs or request.top_logprobs:
        if "top_logprobs" not in target.provider.kind.responses.members:
            raise translation.refusal("logprobs", NO_SUCH_PARAMETER)
        if does_reason(target, effort) or target.facts.cannot(Feature.FEATURE_LOGPROBS):
            raise translation.refusal("logprobs", _NO_LOGPROBS)
        include.append(_LOGPROBS)
        if request.top_logprobs:
            body["top_logprobs"] = request.top_logprobs
    if include:
        body["include"] = include
