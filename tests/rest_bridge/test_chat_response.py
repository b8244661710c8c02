"""Whole answers as OpenAI's chat.completion."""

import json
from pathlib import Path
from typing import Any

import pytest

from fake_gateway import report
from trunkline.errors import ProviderBadAnswerError
from trunkline.v1 import (
    AttemptOutcome,
    Audio,
    CacheWrite,
    Choice,
    Citation,
    CompleteResponse,
    Cost,
    CostSource,
    ErrorReason,
    FinishReason,
    Image,
    Media,
    Message,
    ModalityTokens,
    NoteAction,
    Part,
    Reasoning,
    Role,
    RoutingReport,
    TokenLogprob,
    ToolCall,
    ToolKind,
    TranslationNote,
    Usage,
)
from trunkline_bridge.openai.chat_objects import finish_word, usage_object
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_bridge.openai.chat_words import FINISH_WORDS
from trunkline_bridge.report import MAX_NOTES_HEADER_BYTES, notes_header, trunkline_object

GOLDENS = Path(__file__).parent / "goldens"
STOP = FinishReason.FINISH_REASON_STOP


def answer(*parts: Part, reason: "FinishReason.ValueType" = STOP, native: str = "") -> CompleteResponse:
    message = Message(role=Role.ROLE_ASSISTANT, parts=parts)
    choice = Choice(message=message, finish_reason=reason, native_finish_reason=native)
    return CompleteResponse(id="req_1", model="m", choices=[choice])


def choice_of(found: CompleteResponse) -> dict[str, Any]:
    choice: dict[str, Any] = chat_completion(found)["choices"][0]
    return choice


def message_of(*parts: Part) -> dict[str, Any]:
    message: dict[str, Any] = choice_of(answer(*parts))["message"]
    return message


def everything() -> CompleteResponse:
    """An answer that uses all there is."""
    whole = report()
    whole.attempts.insert(
        0, RoutingReport().attempts.add(target="bad/fake-1", outcome=AttemptOutcome.ATTEMPT_OUTCOME_FAILED)
    )
    whole.attempts[0].failure.reason = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE
    whole.attempts[0].failure.message = "words of the provider"
    whole.attempts[1].notes.append(
        TranslationNote(field="top_k", action=NoteAction.NOTE_ACTION_DROPPED, reason="the provider has none")
    )
    spoken = Message(
        role=Role.ROLE_ASSISTANT,
        parts=[
            Part(reasoning=Reasoning(text="hm", summary=["first", "second"])),
            Part(
                text="Café is open",
                citations=[
                    Citation(url="https://x.test", title="X", start=0, end=4),
                    Citation(title="a document of the prompt", document=0),
                ],
                logprobs=[
                    TokenLogprob(token="Caf", logprob=-0.5, utf8=b"Caf", top=[TokenLogprob(token="Bar", logprob=-9999)])
                ],
            ),
            Part(text=" now.", citations=[Citation(url="https://y.test")]),
            Part(
                tool_call=ToolCall(id="call_1", name="f", arguments='{ "a": 1 }', kind=ToolKind.TOOL_KIND_FUNCTION),
                extensions={"openai_chat": '{"extra_content":{"google":{"thought_signature":"s"}}}'},
            ),
            Part(tool_call=ToolCall(id="call_2", name="g", arguments="raw", kind=ToolKind.TOOL_KIND_CUSTOM)),
        ],
    )
    return CompleteResponse(
        id="req_0123456789ab",
        model="fake-1",
        created_at_ms=1_700_000_000_999,
        provider_response_id="resp_9",
        service_tier="default",
        system_fingerprint="fp_1",
        choices=[
            Choice(
                message=spoken,
                finish_reason=FinishReason.FINISH_REASON_TOOL_CALLS,
                native_finish_reason="tool_use",
                extensions={
                    "openai_chat": '{"content_filter_results":{},"message":{"reasoning_details":[1]},"index":9}'
                },
            ),
            Choice(
                index=1,
                message=Message(role=Role.ROLE_ASSISTANT, parts=[Part(refusal="no")]),
                finish_reason=FinishReason.FINISH_REASON_REFUSAL,
                native_finish_reason="refusal",
            ),
        ],
        usage=Usage(
            input_tokens=10,
            output_tokens=7,
            cache_read_tokens=0,
            cache_write_tokens=4,
            cache_writes=[CacheWrite(ttl_s=300, tokens=4)],
            reasoning_tokens=3,
            input_by_modality=ModalityTokens(text=9, image=1),
            output_by_modality=ModalityTokens(text=7),
        ),
        cost=Cost(nano_usd=1500, source=CostSource.COST_SOURCE_COMPUTED),
        report=whole,
        extensions={"openai_chat": '{"prompt_filter_results":[],"id":"not ours","big":12345678901234567890123}'},
    )


def test_a_whole_answer_is_the_golden_one() -> None:
    golden = json.loads((GOLDENS / "answer.json").read_text())
    assert json.loads(json.dumps(chat_completion(everything()))) == golden


def test_the_members_stand_in_openais_order() -> None:
    names = list(chat_completion(everything()))
    assert names[:6] == ["id", "object", "created", "model", "choices", "usage"]


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([], ""),
        ([Part(text="")], ""),
        ([Part(text="a"), Part(reasoning=Reasoning(text="x")), Part(text="b")], "ab"),
        ([Part(tool_call=ToolCall(id="c", name="f"))], None),
        ([Part(text="a"), Part(tool_call=ToolCall(id="c", name="f"))], "a"),
        ([Part(refusal="no")], None),
        ([Part(audio=Audio(id="a"))], None),
    ],
)
def test_content_is_null_only_beside_something_else(parts: list[Part], content: str | None) -> None:
    assert message_of(*parts)["content"] == content


def test_thinking_is_one_text() -> None:
    found = message_of(
        Part(reasoning=Reasoning(summary=["a", "b"])), Part(reasoning=Reasoning(text="c")), Part(text="x")
    )
    assert found["reasoning_content"] == "a\n\nb\n\nc"
    assert "reasoning_content" not in message_of(Part(reasoning=Reasoning(redacted=True)), Part(text="x"))


def test_no_arguments_are_an_empty_object() -> None:
    function = Part(tool_call=ToolCall(id="c", name="f"))
    custom = Part(tool_call=ToolCall(id="c", name="f", kind=ToolKind.TOOL_KIND_CUSTOM))
    first, second = message_of(function, custom)["tool_calls"]
    assert (first["function"]["arguments"], second["custom"]["input"]) == ("{}", "")


def test_sound_is_base64() -> None:
    sound = Audio(id="audio_1", media=Media(data=b"\x00\x01"), transcript="hello", expires_at_ms=5999)
    assert message_of(Part(audio=sound))["audio"] == {
        "id": "audio_1",
        "data": "AAE=",
        "expires_at": 5,
        "transcript": "hello",
    }


def test_what_has_no_place_is_named() -> None:
    found = chat_completion(answer(Part(image=Image()), Part(text="a")))
    assert found["trunkline"]["omitted"] == ["image"]


@pytest.mark.parametrize(
    ("reason", "native", "word"),
    [
        ("STOP", "end_turn", "stop"),
        ("STOP_SEQUENCE", "stop", "stop"),
        ("LENGTH", "max_tokens", "length"),
        ("CONTEXT_LENGTH", "", "length"),
        ("TOOL_CALLS", "STOP", "tool_calls"),
        ("CONTENT_FILTER", "SAFETY", "content_filter"),
        ("REFUSAL", "refusal", "content_filter"),
        ("PAUSED", "pause_turn", "length"),
        ("UNSPECIFIED", "tool_calls", "tool_calls"),
        ("UNSPECIFIED", "brand_new", "stop"),
    ],
)
def test_an_end_is_one_of_openais_words(reason: str, native: str, word: str) -> None:
    value = FinishReason.Value(f"FINISH_REASON_{reason}")
    found = choice_of(answer(Part(text="x"), reason=value, native=native))
    assert found["finish_reason"] == word
    assert found.get("native_finish_reason", word) == (native or word)


@pytest.mark.parametrize("native", ["", "error", "MALFORMED_FUNCTION_CALL", "TIMEOUT"])
def test_an_end_is_never_made_up(native: str) -> None:
    with pytest.raises(ProviderBadAnswerError):
        finish_word(FinishReason.FINISH_REASON_UNSPECIFIED, native)


def test_every_reason_but_the_unknown_one_has_a_word() -> None:
    known = [value for value in FinishReason.values() if value]
    assert {finish_word(FinishReason.ValueType(value), "") for value in known} <= FINISH_WORDS


def test_the_explanation_of_a_refusal_is_the_refusal() -> None:
    found = answer(reason=FinishReason.FINISH_REASON_CONTENT_FILTER, native="SAFETY")
    found.choices[0].finish_detail = "blocked: violence"
    assert choice_of(found)["message"]["refusal"] == "blocked: violence"
    found.choices[0].message.parts.add(refusal="I will not")
    assert choice_of(found)["message"]["refusal"] == "I will not"


def test_the_stop_text_stands_where_vllm_has_it() -> None:
    found = answer(Part(text="x"))
    found.choices[0].stop_sequence = "END"
    assert choice_of(found)["stop_reason"] == "END"


def test_usage_tells_what_is_known() -> None:
    assert usage_object(Usage(input_tokens=1, output_tokens=2, estimated=True)) == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_tokens_details": {},
        "completion_tokens_details": {},
        "estimated": True,
    }
    assert chat_completion(answer(Part(text="x")))["usage"] is None


def test_attempts_tell_reasons_and_not_the_providers_words() -> None:
    found = trunkline_object("req_1", everything().report)
    assert [(made["target"], made["outcome"], made.get("reason")) for made in found["attempts"]] == [
        ("bad/fake-1", "failed", "provider_unavailable"),
        ("fake/fake-1", "answered", None),
    ]
    assert "words of the provider" not in json.dumps(found)


def test_the_report_tells_what_there_is_to_tell() -> None:
    made = RoutingReport(
        route="fast",
        strategy="ordered",
        trace_id="ab",
        cached=True,
        resumed=True,
        joined=True,
        queued_us=500,
        warnings=["soon to be gone"],
    )
    made.attempts.add(
        target="a/b",
        outcome=AttemptOutcome.ATTEMPT_OUTCOME_OUTRUN,
        hedge=True,
        first_token_us=10,
        provider_request_id="r",
    ).failure.reason = ErrorReason.ValueType(999)
    assert trunkline_object("req_1", made) == {
        "request_id": "req_1",
        "route": "fast",
        "strategy": "ordered",
        "trace_id": "ab",
        "cached": True,
        "resumed": True,
        "joined": True,
        "attempts": [
            {
                "target": "a/b",
                "outcome": "outrun",
                "start_ms": 0,
                "duration_ms": 0,
                "first_token_ms": 0.01,
                "provider_request_id": "r",
                "hedge": True,
                "reason": "reason_999",
            }
        ],
        "duration_ms": 0,
        "overhead_ms": 0,
        "queued_ms": 0.5,
        "warnings": ["soon to be gone"],
    }


def test_the_first_notes_fit_a_header() -> None:
    made = report()
    assert notes_header(made) == ""
    made.attempts[0].notes.add(field="é", action=NoteAction.NOTE_ACTION_REWRITTEN, reason="r\nr", sent="x")
    assert json.loads(notes_header(made)) == [{"field": "é", "action": "rewritten", "reason": "r\nr", "sent": "x"}]
    for index in range(1000):
        made.attempts[0].notes.add(field=f"f{index}", action=NoteAction.NOTE_ACTION_DROPPED, reason="no")
    header = notes_header(made)
    assert header.isascii()
    assert header.isprintable()
    assert MAX_NOTES_HEADER_BYTES - 100 < len(header) <= MAX_NOTES_HEADER_BYTES
    assert len(json.loads(header)) > 10
