"""Targets that are known to lack what a request needs are not called; those of which nothing is known are."""

from collections.abc import Callable, Sequence

import pytest

from trunkline.errors import ContextLengthError, UnsupportedByModelError
from trunkline.v1 import (
    CompleteRequest,
    FormatKind,
    Modality,
    PassedOver,
    ReasoningEffort,
    Role,
    ToolChoiceMode,
)
from trunkline_server.config.settings import TargetSettings
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target
from trunkline_server.routing.needs import fitting, needs_of
from trunkline_server.routing.plan import Plan

PROVIDER = Provider(name="p", kind=KINDS["openai_compatible"], base_url="http://p.test/v1")
STRANGER = Target.of(PROVIDER, "stranger")

Change = Callable[[CompleteRequest], object]


def target(name: str, *cannot: str, **more: object) -> Target:
    said = {"cannot": list(cannot)} | ({"input": more.pop("input")} if "input" in more else {})
    said |= {"output": more.pop("output")} if "output" in more else {}
    return Target.of(PROVIDER, name, TargetSettings.model_validate({"capabilities": said, **more}))


def plan(*targets: Target) -> Plan:
    return Plan("m", targets)


def names(found: Plan) -> list[str]:
    return [each.model for each in found.targets]


def fit(whole: Plan, request: CompleteRequest) -> tuple[Plan, Sequence[PassedOver]]:
    return fitting(whole, request, range(len(request.messages)), request.ByteSize())


def asked(change: Change = lambda _: None) -> CompleteRequest:
    request = CompleteRequest(model="m")
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Hi")
    change(request)
    return request


def _image(request: CompleteRequest) -> None:
    request.messages[0].parts.add().image.media.url = "https://x.test/a.png"


def _pdf(request: CompleteRequest) -> None:
    media = request.messages[0].parts.add().file.media
    media.data, media.mime_type = b"%PDF-", "application/pdf"


def _note(request: CompleteRequest) -> None:
    media = request.messages[0].parts.add().file.media
    media.data, media.mime_type = b"Hello", "text/plain"


def _sound(request: CompleteRequest) -> None:
    request.messages[0].parts.add().audio.media.data = b"RIFF"


def _tool(request: CompleteRequest) -> None:
    request.tools.add(name="f")


def _custom(request: CompleteRequest) -> None:
    request.tools.add(name="f").custom.SetInParent()


def _forced(request: CompleteRequest) -> None:
    _tool(request)
    request.tool_choice.mode = ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED


def _schema(request: CompleteRequest) -> None:
    request.response_format.kind = FormatKind.FORMAT_KIND_JSON_SCHEMA
    request.response_format.schema = "{}"


def _speech(request: CompleteRequest) -> None:
    request.output_modalities.append(Modality.MODALITY_AUDIO)


def _choices(request: CompleteRequest) -> None:
    request.choice_count = 2


def _logprobs(request: CompleteRequest) -> None:
    request.logprobs = True


def _effort(request: CompleteRequest) -> None:
    request.reasoning.effort = ReasoningEffort.REASONING_EFFORT_HIGH


def _prefill(request: CompleteRequest) -> None:
    request.messages.add(role=Role.ROLE_ASSISTANT).parts.add(text="Well")


def _stop(request: CompleteRequest) -> None:
    request.stop.append("END")


TEXT_ONLY = target("text", input=["text"], output=["text"])
MUST: list[tuple[Change, Target, str, str]] = [
    (_image, TEXT_ONLY, "images", "messages[0].parts[1].image"),
    (_pdf, TEXT_ONLY, "documents", "messages[0].parts[1].file"),
    (_sound, TEXT_ONLY, "sound", "messages[0].parts[1].audio"),
    (_speech, TEXT_ONLY, "sound in answers", "output_modalities"),
    (_tool, target("t", "tools"), "tools", "tools"),
    (_custom, target("t", "custom_tools"), "custom tools", "tools[0].custom"),
    (_forced, target("t", "forced_tool_choice"), "forced tool choice", "tool_choice"),
    (_schema, target("t", "json_schema"), "answers by a JSON Schema", "response_format.schema"),
    (_choices, target("t", "multiple_choices"), "several choices", "choice_count"),
    (_logprobs, target("t", "logprobs"), "log probabilities", "logprobs"),
]
RATHER: list[tuple[Change, Target]] = [
    (_effort, target("t", "reasoning")),
    (_prefill, target("t", "prefill")),
    (_stop, target("t", "stop")),
]


@pytest.mark.parametrize(("change", "lacking", "need", "field"), MUST)
def test_a_target_that_lacks_what_must_be_is_passed_over(
    change: Change, lacking: Target, need: str, field: str
) -> None:
    able = target("able", "citations")
    found, passed = fit(plan(lacking, able, STRANGER), asked(change))
    assert names(found) == ["able", "stranger"]
    assert passed == [PassedOver(target=lacking.name, need=need, field=field)]


@pytest.mark.parametrize(("change", "lacking", "need", "field"), MUST)
def test_if_nobody_can_the_error_names_need_field_and_target(
    change: Change, lacking: Target, need: str, field: str
) -> None:
    with pytest.raises(UnsupportedByModelError) as caught:
        fit(plan(lacking), asked(change))
    assert f"{lacking.name} lacks {need}" in caught.value.message
    assert [violation.field for violation in caught.value.violations] == [field]


@pytest.mark.parametrize(("change", "lacking"), RATHER)
def test_who_lacks_what_can_be_done_without_comes_last(change: Change, lacking: Target) -> None:
    found, passed = fit(plan(lacking, STRANGER), asked(change))
    assert (names(found), list(passed)) == (["stranger", "t"], [])
    found, passed = fit(plan(lacking), asked(change))
    assert (names(found), list(passed)) == (["t"], [])


def test_what_must_be_decides_who_is_asked_and_the_rest_only_in_which_order() -> None:
    def change(request: CompleteRequest) -> None:
        _image(request)
        _stop(request)

    targets = plan(target("blind", input=["text"]), target("endless", "stop"), target("able", "citations"), STRANGER)
    found, passed = fit(targets, asked(change))
    assert names(found) == ["able", "stranger", "endless"]
    assert [(each.target, each.need) for each in passed] == [("p/blind", "images")]


@pytest.mark.parametrize("change", [row[0] for row in MUST])
def test_nothing_is_held_against_a_stranger(change: Change) -> None:
    whole = plan(STRANGER)
    assert fit(whole, asked(change)) == (whole, ())


def test_a_plain_request_needs_nothing_and_leaves_the_plan_as_it_is() -> None:
    whole = plan(TEXT_ONLY, STRANGER)
    assert needs_of(asked(), [0], 9) == []
    assert fit(whole, asked())[0] is whole


def test_a_text_file_is_no_document() -> None:
    assert fit(plan(TEXT_ONLY), asked(_note))[1] == ()


def test_a_prompt_that_is_surely_too_large_goes_where_it_may_fit() -> None:
    def change(request: CompleteRequest) -> None:
        request.messages[0].parts[0].text = "x" * 80_000

    small, large = target("small", max_input_tokens=9_000), target("large", max_input_tokens=100_000)
    found, passed = fit(plan(small, large), asked(change))
    assert names(found) == ["large"]
    assert passed[0].need == "a window of 10000 tokens"
    with pytest.raises(ContextLengthError):
        fit(plan(small), asked(change))


def test_a_prompt_that_may_fit_is_the_providers_to_judge() -> None:
    def change(request: CompleteRequest) -> None:
        request.messages[0].parts[0].text = "x" * 60_000

    small = target("small", max_input_tokens=9_000)
    assert names(fit(plan(small), asked(change))[0]) == ["small"]


def test_many_targets_do_not_make_a_long_error() -> None:
    with pytest.raises(UnsupportedByModelError) as caught:
        fit(plan(*[target(f"t{index}", "tools") for index in range(50)]), asked(_tool))
    assert caught.value.message.endswith("p/t4 lacks tools and 45 more")
