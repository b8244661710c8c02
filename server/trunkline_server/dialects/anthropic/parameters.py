"""What steers the generation of an answer, and what else stands at the top of the body."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import CompleteRequest, Modality
from trunkline_server.dialects.anthropic.generation import (
    generation_of,
    max_tokens_of,
    takes_sampling,
)
from trunkline_server.dialects.fields_set import FieldsSet
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import NO_SUCH_PARAMETER, Translation

_SAMPLING: Final = ("temperature", "top_p", "top_k")
_MAX_TEMPERATURE: Final = 1.0
# https://platform.claude.com/docs/en/build-with-claude/extended-thinking: what a model that thinks takes.
_LEAST_TOP_P: Final = 0.95

# These change an answer's chances, its speed or its book-keeping, not its form: they are left out.
_UNKNOWN: Final = (
    "frequency_penalty",
    "min_p",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "metadata",
    "prediction",
    "store",
    "verbosity",
)
_REFUSED: Final = frozenset(
    {"audio_output", "choice_count", "logit_bias", "logprobs", "output_modalities", "top_logprobs"},
)
# https://platform.claude.com/docs/en/api/service-tiers
_TIERS: Final[Mapping[str, Json]] = {
    "auto": {"service_tier": "auto"},
    "priority": {"service_tier": "auto"},
    "default": {"service_tier": "standard_only"},
    "standard": {"service_tier": "standard_only"},
    "standard_only": {"service_tier": "standard_only"},
    "fast": {"speed": "fast"},
}


def put_max_tokens(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """Most output tokens, which this API insists on."""
    most = max_tokens_of(translation.target)
    wanted = request.max_output_tokens if request.HasField("max_output_tokens") else most
    if wanted > most and translation.target.facts.max_output_tokens is not None:
        translation.rewrite("max_output_tokens", "the model gives no more", str(most))
        wanted = most
    body["max_tokens"] = wanted


def put_parameters(request: CompleteRequest, present: FieldsSet, body: Json, translation: Translation) -> None:
    """Sampling, stops and the like, of which `present` is what is set. Whether the model is to think stands in the
    body already.
    """
    _put_sampling(present, body, translation)
    if not present.keys().isdisjoint(_UNKNOWN):
        for name in _UNKNOWN:
            if present.get(name):
                translation.drop(name)
    if "stop" in present:
        _put_stops(request, body, translation)
    if not _REFUSED.isdisjoint(present):
        _refuse(request, translation)
    if "end_user" in present:
        body["metadata"] = {"user_id": request.end_user}
    if "service_tier" in present:
        _put_tier(request.service_tier, body, translation)


def _put_sampling(present: Mapping[str, object], body: Json, translation: Translation) -> None:
    found = {name: present[name] for name in _SAMPLING if name in present}
    if not found:
        return
    if not takes_sampling(translation.target):
        for name in found:
            translation.drop(name, "the model does not take it")
        return
    temperature = found.get("temperature")
    if isinstance(temperature, float) and temperature > _MAX_TEMPERATURE:
        translation.emulate("temperature", "the provider takes at most 1", "1")
        found["temperature"] = _MAX_TEMPERATURE
    if "thinking" in body and body["thinking"].get("type") in ("enabled", "adaptive"):
        _drop_beside_thinking(found, translation)
    if "temperature" in found and "top_p" in found and generation_of(translation.target).takes_one_sampling_parameter:
        translation.drop("top_p", "the model takes temperature or top_p")
        del found["top_p"]
    body |= found


def _drop_beside_thinking(found: dict[str, object], translation: Translation) -> None:
    top_p = found.get("top_p")
    for name, bad in (
        ("temperature", found.get("temperature") != _MAX_TEMPERATURE),
        ("top_p", isinstance(top_p, float) and top_p < _LEAST_TOP_P),
        ("top_k", True),
    ):
        if name in found and bad:
            translation.drop(name, "a model that thinks does not take it")
            del found[name]


def _put_stops(request: CompleteRequest, body: Json, translation: Translation) -> None:
    stops: list[str] = []
    for at, text in enumerate(request.stop):
        if text.strip():
            stops.append(text)
        else:
            translation.drop(f"stop[{at}]", "a text to stop at must hold more than white space")
    if stops:
        body["stop_sequences"] = stops


def _refuse(request: CompleteRequest, translation: Translation) -> None:
    """Raises UnsupportedByModelError for what a client reads the answer by."""
    if request.choice_count > 1:
        raise translation.refusal("choice_count", "the model gives one answer at a time")
    if request.logprobs or request.top_logprobs:
        raise translation.refusal("logprobs", "the model does not tell them")
    if request.logit_bias:
        raise translation.refusal("logit_bias", NO_SUCH_PARAMETER)
    if any(modality != Modality.MODALITY_TEXT for modality in request.output_modalities):
        raise translation.refusal("output_modalities", "the model gives text only")
    if request.HasField("audio_output"):
        translation.drop("audio_output", "the model gives text only")


def _put_tier(tier: str, body: Json, translation: Translation) -> None:
    if not translation.target.provider.kind.anthropic.service_tiers:
        if tier != "auto":
            translation.drop("service_tier", "the provider has no tiers")
        return
    if (found := _TIERS.get(tier)) is None:
        translation.drop("service_tier", f"the provider has {', '.join(sorted(_TIERS))}")
        return
    body |= found
    if tier == "priority":
        translation.rewrite("service_tier", "priority capacity is used where there is some", "auto")
