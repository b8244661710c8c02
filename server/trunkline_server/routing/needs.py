"""What a request needs of a model, and which targets are known to lack it. Pure.

Only what is known counts: a target of which nothing is known is asked, and its provider decides.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from trunkline.errors import ContextLengthError, GatewayError, UnsupportedByModelError
from trunkline.v1 import (
    CompleteRequest,
    Feature,
    FieldViolation,
    FormatKind,
    Modality,
    Part,
    PassedOver,
    ReasoningEffort,
    Role,
    ToolChoiceMode,
)
from trunkline_server.providers.model_facts import ModelFacts
from trunkline_server.routing.plan import Plan

CHARS_PER_TOKEN: Final = 8
"""More than any model has of usual text: what is too large by this measure is too large by any."""

_SMALL_BYTES: Final = 4096 * CHARS_PER_TOKEN
"""A request of fewer bytes fits every window there is."""

MAX_NAMED: Final = 5
"""Most targets that an error names."""

_MEDIA: Final = {
    "image": (Modality.MODALITY_IMAGE, "images"),
    "file": (Modality.MODALITY_DOCUMENT, "documents"),
    "audio": (Modality.MODALITY_AUDIO, "sound"),
    "video": (Modality.MODALITY_VIDEO, "video"),
}
_OUTPUTS: Final = {
    Modality.MODALITY_IMAGE: "pictures in answers",
    Modality.MODALITY_AUDIO: "sound in answers",
    Modality.MODALITY_VIDEO: "video in answers",
}
_PLAIN_TEXT: Final = "text/"


class Need(NamedTuple):
    """Something that not every model can do."""

    name: str
    """As a noun."""
    field: str
    """What of the request needs it."""
    lacks: Callable[[ModelFacts], bool]
    """Whether a model is known not to have it."""
    must: bool = True
    """Whether the request fails without; else those that have it are asked first, and others do without it, with a
    translation note."""


def fitting(
    plan: Plan, request: CompleteRequest, special: Sequence[int], size_bytes: int
) -> tuple[Plan, Sequence[PassedOver]]:
    """The plan without the targets that cannot serve the request, those first that serve it best; and who is left out.

    `special` are the places of the messages that hold more than text, `size_bytes` is the size of the whole request.
    Raises UnsupportedByModelError or ContextLengthError, with what each lacks, if no target is left.
    """
    if not _says_anything(plan):
        return plan, ()
    needs = needs_of(request, special, size_bytes)
    if not needs:
        return plan, ()
    lacking = [_lacking(target.facts, needs) for target in plan.targets]
    if not any(lacking):
        return plan, ()
    musts = [[need for need in lacks if need.must] for lacks in lacking]
    able = [place for place, lacks in enumerate(musts) if not lacks]
    if not able:
        raise _nobody(plan, musts)
    # Who lacks what can be done without comes last, but comes: a note is better than a failure.
    able.sort(key=lambda place: bool(lacking[place]))
    passed = [
        PassedOver(target=target.name, need=lacks[0].name, field=lacks[0].field)
        for target, lacks in zip(plan.targets, musts, strict=True)
        if lacks
    ]
    return replace(plan, targets=tuple(plan.targets[place] for place in able)), passed


def needs_of(request: CompleteRequest, special: Sequence[int], size_bytes: int) -> list[Need]:
    """All that the request needs beside text in and text out."""
    found: list[Need] = []
    for index in special:
        for place, part in enumerate(request.messages[index].parts):
            if not part.HasField("text"):
                found += _of_part(part, f"messages[{index}].parts[{place}]")
    found += _of_parameters(request)
    if request.tools:
        found += _of_tools(request)
    if request.messages and request.messages[-1].role == Role.ROLE_ASSISTANT:
        at = f"messages[{len(request.messages) - 1}]"
        found.append(_feature("going on from an assistant message", at, Feature.FEATURE_PREFILL, must=False))
    if size_bytes > _SMALL_BYTES:
        found += _of_size(request)
    return found


def _of_part(part: Part, at: str) -> Iterator[Need]:
    kind = part.WhichOneof("content")
    if kind in _MEDIA:
        modality, name = _MEDIA[kind]
        if kind != "file" or not part.file.media.mime_type.startswith(_PLAIN_TEXT):
            yield Need(name, f"{at}.{kind}", lambda facts: not facts.takes(modality))
    elif kind == "tool_result":
        for place, inner in enumerate(part.tool_result.parts):
            if inner.HasField("image"):
                field = f"{at}.tool_result.parts[{place}].image"
                yield _feature("images in tool results", field, Feature.FEATURE_TOOL_RESULT_IMAGES, must=False)


def _of_parameters(request: CompleteRequest) -> Iterator[Need]:
    if request.choice_count > 1:
        yield _feature("several choices", "choice_count", Feature.FEATURE_MULTIPLE_CHOICES)
    if request.logprobs or request.top_logprobs:
        yield _feature("log probabilities", "logprobs", Feature.FEATURE_LOGPROBS)
    if request.stop:
        yield _feature("stop texts", "stop", Feature.FEATURE_STOP, must=False)
    if request.HasField("response_format"):
        kind = request.response_format.kind
        if kind == FormatKind.FORMAT_KIND_JSON_SCHEMA:
            yield _feature("answers by a JSON Schema", "response_format.schema", Feature.FEATURE_JSON_SCHEMA)
        elif kind == FormatKind.FORMAT_KIND_JSON_OBJECT:
            yield _feature("answers in JSON", "response_format", Feature.FEATURE_JSON_OBJECT, must=False)
    for modality in request.output_modalities:
        if modality in _OUTPUTS:
            yield Need(_OUTPUTS[modality], "output_modalities", lambda facts, wanted=modality: not facts.gives(wanted))  # type: ignore[misc]  # mypy cannot infer a lambda's default
    if request.HasField("reasoning"):
        yield from _of_reasoning(request)


def _of_reasoning(request: CompleteRequest) -> Iterator[Need]:
    wanted = request.reasoning
    if wanted.effort > ReasoningEffort.REASONING_EFFORT_NONE or wanted.budget_tokens or wanted.enabled:
        yield _feature("reasoning", "reasoning", Feature.FEATURE_REASONING, must=False)
    elif wanted.effort == ReasoningEffort.REASONING_EFFORT_NONE:
        always = Feature.FEATURE_REASONING_ALWAYS
        yield Need("answers without reasoning", "reasoning.effort", lambda facts: facts.can(always), must=False)


def _of_tools(request: CompleteRequest) -> Iterator[Need]:
    for index, tool in enumerate(request.tools):
        if tool.HasField("custom"):
            yield _feature("custom tools", f"tools[{index}].custom", Feature.FEATURE_CUSTOM_TOOLS)
            break
    if not all(tool.HasField("server") for tool in request.tools):
        yield _feature("tools", "tools", Feature.FEATURE_TOOLS)
    if request.tool_choice.mode == ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED:
        yield _feature("forced tool choice", "tool_choice", Feature.FEATURE_FORCED_TOOL_CHOICE)


def _of_size(request: CompleteRequest) -> Iterator[Need]:
    """The window, for a prompt that is so large that a model may lack it."""
    chars = sum(len(part.text) for message in request.messages for part in message.parts)
    least = chars // CHARS_PER_TOKEN
    if least:
        yield Need(
            f"a window of {least} tokens",
            "messages",
            lambda facts: facts.max_input_tokens is not None and facts.max_input_tokens < least,
        )


def _feature(name: str, field: str, feature: "Feature.ValueType", *, must: bool = True) -> Need:
    return Need(name, field, lambda facts: facts.cannot(feature), must)


def _says_anything(plan: Plan) -> bool:
    """Whether something is known of any target."""
    for target in plan.targets:  # noqa: SIM110 any() makes a generator, for each request
        if target.facts.known or target.facts.max_input_tokens is not None:
            return True
    return False


def _lacking(facts: ModelFacts, needs: Sequence[Need]) -> list[Need]:
    return [need for need in needs if need.lacks(facts)]


def _nobody(plan: Plan, lacking: Sequence[Sequence[Need]]) -> GatewayError:
    """What every target lacks."""
    named = [f"{target.name} lacks {lacks[0].name}" for target, lacks in zip(plan.targets, lacking, strict=True)]
    more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    fields = {need.field: need.name for lacks in lacking for need in lacks[:1]}
    violations = [FieldViolation(field=field, description=f"needs {name}") for field, name in fields.items()]
    message = f"no target of {plan.model[:128]} can do this: {', '.join(named[:MAX_NAMED])}{more}"
    kind = ContextLengthError if set(fields) == {"messages"} else UnsupportedByModelError
    return kind(message, violations=violations)
