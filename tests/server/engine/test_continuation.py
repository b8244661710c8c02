"""Answers that break off and are gone on with: what the caller gets is the whole answer, or an error, never a splice."""

import itertools
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from targets import target_of
from trunkline.answer import AnswerBuilder
from trunkline.v1 import (
    CompleteRequest,
    Event,
    Failure,
    Feature,
    FinishReason,
    FormatKind,
    Modality,
    Part,
    Reasoning,
    ResponseFormat,
    Role,
    StartedEvent,
    StreamCompleteResponse,
    ToolCall,
)
from trunkline_server.config.settings import TargetSettings
from trunkline_server.dialects.registry import DIALECTS
from trunkline_server.engine.continuation import Continuation, DifferentAnswerError, Mode
from trunkline_server.engine.delivered import Delivered
from trunkline_server.providers.target import Target

TARGET = target_of("vllm")
CAUSE = Failure(message="it broke off")

texts = st.text(alphabet="ab \n🙂é", min_size=1, max_size=40)
pieces = st.lists(texts, min_size=1, max_size=12)


def request(**more: object) -> CompleteRequest:
    found = CompleteRequest(model="m", **more)  # type: ignore[arg-type]  # fields of several types
    found.messages.add(role=Role.ROLE_USER).parts.add(text="Hi")
    return found


def batch(*events: Event) -> StreamCompleteResponse:
    return StreamCompleteResponse(events=events)


def started(model: str = "m-1") -> Event:
    return Event(started=StartedEvent(id="r", model=model))


def begins(part: int, content: Part) -> Event:
    return Event(part=part, part_started=content)


def said(text: str, part: int = 0) -> Event:
    return Event(part=part, text=text)


def done(part: int) -> Event:
    event = Event(part=part)
    event.part_done.SetInParent()
    return event


def finish(reason: "FinishReason.ValueType" = FinishReason.FINISH_REASON_STOP) -> list[Event]:
    choice, end = Event(), Event()
    choice.choice_finished.finish_reason = reason
    end.finished.usage.output_tokens = 3
    return [choice, end]


def given_so_far(batches: Sequence[StreamCompleteResponse], asked: CompleteRequest | None = None) -> Delivered:
    delivered = Delivered(asked or request())
    for found in batches:
        delivered.add(found)
    return delivered


def text_stream(words: Sequence[str]) -> list[StreamCompleteResponse]:
    """A stream of text without its end."""
    return [batch(started(), begins(0, Part(text=""))), *(batch(said(word)) for word in words)]


def fold(batches: Sequence[StreamCompleteResponse]) -> AnswerBuilder:
    builder = AnswerBuilder()
    open_parts: set[int] = set()
    known: set[int] = set()
    for found in batches:
        for event in found.events:
            kind = event.WhichOneof("kind")
            if kind == "part_started":
                assert event.part not in known, "a part begins twice"
                known.add(event.part)
                open_parts.add(event.part)
            elif kind in ("text", "arguments", "reasoning", "part_update", "part_done"):
                assert event.part in open_parts, f"{kind} of a part that is not open"
                if kind == "part_done":
                    open_parts.discard(event.part)
            elif kind == "finished":
                assert not open_parts, "a part is left open"
        builder.add(found)
    assert known == set(range(len(known)))
    return builder


def go_on(
    before: Sequence[StreamCompleteResponse], after: Sequence[StreamCompleteResponse], mode: Mode
) -> list[StreamCompleteResponse]:
    delivered = given_so_far(before)
    assert delivered.obstacle() == ""
    continuation = Continuation(request(), delivered, TARGET, cause=CAUSE, mode=mode)
    return [*before, *(found for each in after if (found := continuation.adapt(each)) is not None)]


@settings(max_examples=200, deadline=None)
@given(words=pieces, cut=st.integers(0, 12), more=pieces)
def test_by_prefill_the_caller_gets_both_parts(words: list[str], cut: int, more: list[str]) -> None:
    before = text_stream(words[: cut + 1])
    after = [*text_stream(more), batch(done(0), *finish())]
    got = go_on(before, after, "prefill")
    answer = fold(got).response()
    (choice,) = answer.choices
    assert [part.text for part in choice.message.parts] == ["".join(words[: cut + 1]) + "".join(more)]
    assert choice.finish_reason == FinishReason.FINISH_REASON_STOP
    resumed = [event.resumed for found in got for event in found.events if event.HasField("resumed")]
    assert [(found.target, found.model, found.cause) for found in resumed] == [(TARGET.name, "m-1", CAUSE)]


@settings(max_examples=200, deadline=None)
@given(text=texts, seams=st.lists(st.integers(0, 40), max_size=6), cut=st.integers(0, 40))
def test_by_restart_nothing_is_given_twice_or_lost(text: str, seams: list[int], cut: int) -> None:
    marks = sorted({0, len(text), *(min(seam, len(text)) for seam in seams)})
    words = [text[start:end] for start, end in itertools.pairwise(marks)]
    given_text = text[: min(cut, len(text))]
    before = text_stream([given_text] if given_text else [])
    got = go_on(before, [*text_stream(words), batch(done(0), *finish())], "restart")
    (choice,) = fold(got).response().choices
    assert [part.text for part in choice.message.parts] == [text]


@settings(max_examples=200, deadline=None)
@given(text=texts, other=texts)
def test_a_restart_that_differs_raises_and_gives_no_wrong_character(text: str, other: str) -> None:
    before = text_stream([text])
    after = [*text_stream(list(other)), batch(done(0), *finish())]
    delivered = given_so_far(before)
    continuation = Continuation(request(), delivered, TARGET, cause=CAUSE, mode="restart")
    got: list[StreamCompleteResponse | None] = []
    try:
        got.extend(map(continuation.adapt, after))
    except DifferentAnswerError:
        assert not other.startswith(text)
        assert not any(got)
    else:
        assert other.startswith(text)


def test_reasoning_and_calls_of_the_one_who_goes_on_have_parts_of_their_own() -> None:
    before = text_stream(["Let me "])
    after = [
        batch(started("other"), begins(0, Part(reasoning=Reasoning(text="")))),
        batch(Event(part=0, reasoning="hm"), done(0)),
        batch(begins(1, Part(text="")), said("look.", 1)),
        batch(begins(2, Part(tool_call=ToolCall(id="c", name="f")))),
        batch(Event(part=2, arguments="{}")),
        batch(done(1), done(2), *finish(FinishReason.FINISH_REASON_TOOL_CALLS)),
    ]
    answer = fold(go_on(before, after, "prefill")).response()
    parts = answer.choices[0].message.parts
    assert [part.WhichOneof("content") for part in parts] == ["text", "reasoning", "tool_call"]
    assert parts[0].text == "Let me look."
    assert parts[2].tool_call.arguments == "{}"


def test_who_has_nothing_to_add_ends_the_open_part() -> None:
    got = go_on(text_stream(["all of it"]), [batch(started(), *finish())], "prefill")
    (choice,) = fold(got).response().choices
    assert choice.message.parts[0].text == "all of it"


def test_whole_parts_are_gone_on_with_like_streamed_ones() -> None:
    before = [batch(started(), begins(0, Part(text="one ")))]
    after = [batch(started(), begins(0, Part(text="two")), done(0), *finish())]
    (choice,) = fold(go_on(before, after, "prefill")).response().choices
    assert choice.message.parts[0].text == "one two"


def test_text_that_was_complete_gets_a_part_after_it() -> None:
    before = [*text_stream(["one "]), batch(done(0))]
    after = [*text_stream(["two"]), batch(done(0), *finish())]
    (choice,) = fold(go_on(before, after, "prefill")).response().choices
    assert [part.text for part in choice.message.parts] == ["one ", "two"]


def test_it_can_be_gone_on_with_again() -> None:
    before = go_on(text_stream(["one "]), text_stream(["two "]), "prefill")
    (choice,) = fold(go_on(before, [*text_stream(["three"]), batch(done(0), *finish())], "prefill")).response().choices
    assert choice.message.parts[0].text == "one two three"


def test_prefill_asks_with_what_was_given_and_leaves_the_callers_request_alone() -> None:
    asked = request(max_output_tokens=100)
    before = asked.SerializeToString()
    continuation = Continuation(asked, given_so_far(text_stream(["x" * 40])), TARGET, cause=CAUSE, mode="prefill")
    assert [message.role for message in continuation.request.messages] == [Role.ROLE_USER, Role.ROLE_ASSISTANT]
    assert continuation.request.messages[-1].parts[0].text == "x" * 40
    assert continuation.request.max_output_tokens == 90
    assert [(note.field, note.sent) for note in continuation.notes] == [("max_output_tokens", "90")]
    assert asked.SerializeToString() == before


def test_a_prefill_of_the_callers_own_is_gone_on_with() -> None:
    asked = request()
    asked.messages.add(role=Role.ROLE_ASSISTANT).parts.add(text="Once")
    continuation = Continuation(asked, given_so_far(text_stream([" upon"])), TARGET, cause=CAUSE, mode="prefill")
    assert [part.text for part in continuation.request.messages[-1].parts] == ["Once", " upon"]
    assert len(continuation.request.messages) == 2


@pytest.mark.parametrize(
    "event",
    [
        begins(1, Part(tool_call=ToolCall(id="c", name="f"))),
        begins(1, Part(reasoning=Reasoning(text="hm"))),
        begins(1, Part(refusal="no")),
        Event(choice=1, text="another choice"),
        Event(part=0, part_update=Part(text="")),
        *finish()[:1],
    ],
    ids=lambda event: event.WhichOneof("kind"),
)
def test_what_is_more_than_plain_text_is_not_gone_on_with(event: Event) -> None:
    assert given_so_far([*text_stream(["a"]), batch(event)]).obstacle()


@pytest.mark.parametrize(
    "more",
    [
        {"choice_count": 2},
        {"logprobs": True},
        {"response_format": ResponseFormat(kind=FormatKind.FORMAT_KIND_JSON_OBJECT)},
        {"output_modalities": [Modality.MODALITY_TEXT, Modality.MODALITY_AUDIO]},
    ],
    ids=lambda more: next(iter(more)),
)
def test_an_answer_of_another_form_is_not_gone_on_with(more: dict[str, object]) -> None:
    assert given_so_far([], request(**more)).obstacle()


def test_a_long_stream_is_remembered_as_text() -> None:
    delivered = given_so_far(text_stream([f"{number} " for number in range(1000)]))
    assert delivered.text() == "".join(f"{number} " for number in range(1000))
    assert delivered.obstacle() == ""


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("vllm", {"continue_final_message": True, "add_generation_prompt": False}, {}),
        ("sglang", {"continue_final_message": True}, {}),
        ("llamacpp", {}, {}),
        ("mistral", {}, {"prefix": True}),
        ("openai_compatible", {}, {}),
    ],
)
def test_each_kind_of_provider_is_asked_in_its_own_way(
    kind: str, body: dict[str, object], message: dict[str, object]
) -> None:
    target = target_of(kind)
    continuation = Continuation(request(), given_so_far(text_stream(["so far"])), target, cause=CAUSE, mode="prefill")
    wire = orjson.loads(DIALECTS[target.dialect].encode(continuation.request, target, stream=True).body)
    assert wire["messages"][-1] == {"role": "assistant", "content": "so far", **message}
    assert {name: wire[name] for name in wire if name in ("continue_final_message", "add_generation_prompt")} == body


def test_what_the_caller_says_in_an_extension_stays() -> None:
    asked = request()
    asked.extensions["openai_chat"] = '{"min_tokens":3,"add_generation_prompt":true}'
    continuation = Continuation(asked, given_so_far(text_stream(["x"])), TARGET, cause=CAUSE, mode="prefill")
    assert orjson.loads(continuation.request.extensions["openai_chat"]) == {
        "continue_final_message": True,
        "add_generation_prompt": True,
        "min_tokens": 3,
    }


def test_who_can_go_on_is_known_by_kind_unless_the_configuration_says_otherwise() -> None:
    def can(kind: str, prefill: bool | None = None) -> bool:
        provider = target_of(kind).provider
        return Target.of(provider, "m", TargetSettings(prefill=prefill)).facts.can(Feature.FEATURE_PREFILL)

    assert [can(kind) for kind in ("vllm", "mistral", "openai", "openai_compatible")] == [True, True, False, False]
    assert (can("vllm", prefill=False), can("openai_compatible", prefill=True)) == (False, True)
