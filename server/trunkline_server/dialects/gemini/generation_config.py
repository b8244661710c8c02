"""What steers the generation of an answer, as the wire's generationConfig."""

from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.v1 import CompleteRequest, Feature, FormatKind, Modality
from trunkline_server.dialects.fields_set import FieldsSet
from trunkline_server.dialects.gemini.generation import generation_of
from trunkline_server.dialects.gemini.thinking import put_thinking
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import NO_SUCH_PARAMETER, Translation

# Numbers that go as they are, in the order of the body: the contract's field, the wire's member, and what a model that
# cannot is known to lack. What is left out then changes an answer's chances, not its form.
_SCALARS: Final = (
    ("max_output_tokens", "maxOutputTokens", None),
    ("temperature", "temperature", Feature.FEATURE_SAMPLING),
    ("top_p", "topP", Feature.FEATURE_SAMPLING),
    ("top_k", "topK", Feature.FEATURE_SAMPLING),
    ("frequency_penalty", "frequencyPenalty", Feature.FEATURE_PENALTIES),
    ("presence_penalty", "presencePenalty", Feature.FEATURE_PENALTIES),
    ("seed", "seed", Feature.FEATURE_SEED),
)
# These have no member at all.
_UNKNOWN: Final = ("min_p", "repetition_penalty")
_CHOICES: Final = frozenset({"choice_count", "logprobs", "top_logprobs", "logit_bias"})
_OUTPUT: Final = frozenset({"output_modalities", "audio_output"})
_MAX_STOPS: Final = 5
_MAX_SEED: Final = 2**31 - 1
_JSON: Final = "application/json"
_MODALITIES: Final[Mapping[int, str]] = {
    Modality.MODALITY_TEXT: "TEXT",
    Modality.MODALITY_IMAGE: "IMAGE",
    Modality.MODALITY_AUDIO: "AUDIO",
}
# What the provider sends is 16 bit samples without a header; https://ai.google.dev/gemini-api/docs/speech-generation
_RAW_AUDIO: Final = ("", "pcm16")


def generation_config(request: CompleteRequest, present: FieldsSet, translation: Translation) -> Json:
    """The generationConfig; empty if nothing is asked for. `present` is what is set in the request."""
    config: Json = {}
    for name, member, feature in _SCALARS:
        if name not in present:
            continue
        if feature is not None and translation.target.facts.cannot(feature):
            translation.drop(name, "the model does not take it")
        else:
            config[member] = present[name]
    if "seed" in config and config["seed"] > _MAX_SEED:
        config["seed"] &= _MAX_SEED
        translation.rewrite("seed", "the provider's seeds have 31 bits", str(config["seed"]))
    for name in _UNKNOWN:
        if name in present:
            translation.drop(name)
    if not _CHOICES.isdisjoint(present):
        _put_choices(request, config, translation)
    if "stop" in present:
        if len(request.stop) > _MAX_STOPS:
            raise translation.refusal("stop", f"the provider takes at most {_MAX_STOPS} of them")
        config["stopSequences"] = list(request.stop)
    if "response_format" in present:
        _put_format(request, config, translation)
    if "reasoning" in present:
        put_thinking(request.reasoning, config, translation)
    if not _OUTPUT.isdisjoint(present):
        _put_output(request, config, translation)
    return config


def _put_choices(request: CompleteRequest, config: Json, translation: Translation) -> None:
    """How many answers, and what is told of their tokens: a client reads the answer by these."""
    facts = translation.target.facts
    if request.choice_count > 1:
        if facts.cannot(Feature.FEATURE_MULTIPLE_CHOICES):
            raise translation.refusal("choice_count", "the model gives one answer at a time")
        config["candidateCount"] = request.choice_count
    if request.logprobs or request.top_logprobs:
        if facts.cannot(Feature.FEATURE_LOGPROBS):
            raise translation.refusal("logprobs", "the model does not tell them")
        config["responseLogprobs"] = True
        if request.top_logprobs:
            config["logprobs"] = request.top_logprobs
    if request.logit_bias:
        raise translation.refusal("logit_bias", NO_SUCH_PARAMETER)


def _put_format(request: CompleteRequest, config: Json, translation: Translation) -> None:
    wanted = request.response_format
    if wanted.kind in (FormatKind.FORMAT_KIND_UNSPECIFIED, FormatKind.FORMAT_KIND_TEXT):
        return  # it is what all give unasked
    if wanted.kind not in (FormatKind.FORMAT_KIND_JSON_OBJECT, FormatKind.FORMAT_KIND_JSON_SCHEMA):
        raise translation.refusal("response_format.kind", "is text, json_object or json_schema")
    if request.tools and generation_of(translation.target).is_before_3:
        raise translation.refusal("response_format.kind", "the model gives no JSON while tools are on offer")
    config["responseMimeType"] = _JSON
    if wanted.kind == FormatKind.FORMAT_KIND_JSON_SCHEMA:
        # Embedded byte for byte: the engine has seen that it is JSON.
        config["responseJsonSchema"] = orjson.Fragment(wanted.schema or "{}")
        if wanted.description:
            translation.drop("response_format.description", "the provider takes the schema alone")


def _put_output(request: CompleteRequest, config: Json, translation: Translation) -> None:
    """What the answer is to consist of."""
    if request.output_modalities:
        modalities = [_MODALITIES.get(modality, "") for modality in request.output_modalities]
        if not all(modalities):
            raise translation.refusal("output_modalities", "are text, image and audio")
        if modalities != ["TEXT"]:
            config["responseModalities"] = modalities
    if request.HasField("audio_output"):
        wanted = request.audio_output
        if wanted.format not in _RAW_AUDIO:
            raise translation.refusal("audio_output.format", "the provider gives pcm16 only")
        if wanted.voice:
            config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": wanted.voice}}}
