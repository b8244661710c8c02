"""How an answer was asked for, as the GenAI conventions name it: numbers and choices, none of the caller's words."""

from typing import Final

from trunkline.v1 import CompleteRequest, FormatKind, Modality, ReasoningEffort
from trunkline_server.telemetry import names

_NUMBERS: Final = {
    "max_output_tokens": names.REQUEST_MAX_TOKENS,
    "temperature": names.REQUEST_TEMPERATURE,
    "top_p": names.REQUEST_TOP_P,
    "top_k": names.REQUEST_TOP_K,
    "frequency_penalty": names.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": names.REQUEST_PRESENCE_PENALTY,
    "seed": names.REQUEST_SEED,
}
_EFFORTS: Final = {
    value: name.removeprefix("REASONING_EFFORT_").lower()
    for name, value in ReasoningEffort.items()
    if value != ReasoningEffort.REASONING_EFFORT_UNSPECIFIED
}
_FORMATS: Final = {FormatKind.FORMAT_KIND_UNSPECIFIED: "", FormatKind.FORMAT_KIND_TEXT: "text"}
_JSON: Final = "json"
_MODALITIES: Final = {Modality.MODALITY_AUDIO: "speech", Modality.MODALITY_IMAGE: "image"}


def parameter_attributes(request: CompleteRequest) -> dict[str, str | int | float]:
    """What the caller set; what it left to the provider is absent."""
    found: dict[str, str | int | float] = {
        name: getattr(request, field)
        for field, name in _NUMBERS.items()
        if request.HasField(field)  # type: ignore[arg-type]  # wants a literal; the names stand in the table above
    }
    if request.choice_count > 1:
        found[names.REQUEST_CHOICE_COUNT] = request.choice_count
    if request.HasField("reasoning") and (level := _EFFORTS.get(request.reasoning.effort)):
        found[names.REQUEST_REASONING_LEVEL] = level
    if output := _output_type(request):
        found[names.OUTPUT_TYPE] = output
    return found


def _output_type(request: CompleteRequest) -> str:
    """Empty: the caller asked for nothing in particular."""
    for modality in request.output_modalities:
        if modality in _MODALITIES:
            return _MODALITIES[modality]
    if not request.HasField("response_format"):
        return ""
    return _FORMATS.get(request.response_format.kind, _JSON)
