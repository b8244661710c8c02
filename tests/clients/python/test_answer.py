"""The whole answer is what its events amount to, by the rule in event.proto."""

import pytest
from google.protobuf import text_format

from trunkline.answer import AnswerBuilder, text_of, texts_of
from trunkline.v1 import CompleteResponse, Event, StreamCompleteResponse

TEXT = """
choices { message { role: ROLE_ASSISTANT parts { text: "%s" } } }
"""

# Events and the answer they make, as protobuf text.
CASES = {
    "nothing": ("", ""),
    "pieces of text": (
        """
        events { part_started { text: "" } }
        events { text: "Hel" }
        events { text: "lo" }
        events { part_done {} }
        """,
        TEXT % "Hello",
    ),
    "a part that starts with text": (
        'events { part_started { text: "Hel" } } events { text: "lo" }',
        TEXT % "Hello",
    ),
    "pieces before their part was announced": ('events { text: "Hel" } events { text: "lo" }', TEXT % "Hello"),
    "an empty text that carries state": (
        """
        events { part_started { text: "" } }
        events { part_done { state { kind: STATE_KIND_GEMINI_THOUGHT_SIGNATURE data: "sig" provider: "g" } } }
        """,
        """
        choices {
          message {
            role: ROLE_ASSISTANT
            parts {
              text: ""
              state { kind: STATE_KIND_GEMINI_THOUGHT_SIGNATURE data: "sig" provider: "g" }
            }
          }
        }
        """,
    ),
    "updates merge as protobuf merges": (
        """
        events { part_started { text: "" extensions { key: "openai_chat" value: "{1}" } } }
        events { text: "a" }
        events { part_update { logprobs { token: "a" logprob: -0.5 } citations { url: "u1" } } }
        events { text: "b" }
        events { part_update { logprobs { token: "b" logprob: -1.5 } extensions { key: "openai_chat" value: "{2}" } } }
        events { part_done { citations { url: "u2" } phase: PHASE_FINAL_ANSWER } }
        """,
        """
        choices {
          message {
            role: ROLE_ASSISTANT
            parts {
              text: "ab"
              logprobs { token: "a" logprob: -0.5 }
              logprobs { token: "b" logprob: -1.5 }
              citations { url: "u1" }
              citations { url: "u2" }
              phase: PHASE_FINAL_ANSWER
              extensions { key: "openai_chat" value: "{2}" }
            }
          }
        }
        """,
    ),
    "a merge replaces what came before it, not what comes after": (
        """
        events { part_started { text: "dra" } }
        events { text: "ft" }
        events { part_update { text: "final" } }
        events { text: "ly" }
        """,
        TEXT % "finally",
    ),
    "a tool call": (
        """
        events { part_started { tool_call { id: "c1" name: "f" } } }
        events { arguments: "{\\"a\\":" }
        events { arguments: " 1}" }
        events { part_done { tool_call { malformed: true } } }
        """,
        """
        choices {
          message {
            role: ROLE_ASSISTANT
            parts { tool_call { id: "c1" name: "f" arguments: "{\\"a\\": 1}" malformed: true } }
          }
        }
        """,
    ),
    "parallel calls in one stream": (
        """
        events { part: 0 part_started { tool_call { id: "c1" name: "f" } } }
        events { part: 1 part_started { tool_call { id: "c2" name: "g" } } }
        events { part: 1 arguments: "{2" }
        events { part: 0 arguments: "{1" }
        events { part: 1 arguments: "}" }
        events { part: 0 arguments: "}" }
        """,
        """
        choices {
          message {
            role: ROLE_ASSISTANT
            parts { tool_call { id: "c1" name: "f" arguments: "{1}" } }
            parts { tool_call { id: "c2" name: "g" arguments: "{2}" } }
          }
        }
        """,
    ),
    "a call of a tool that the provider runs": (
        """
        events { part_started { server_tool_call { name: "web_search" } } }
        events { arguments: "{}" }
        events { part_done { server_tool_call { status: "completed" native: "{...}" } } }
        """,
        """
        choices {
          message {
            role: ROLE_ASSISTANT
            parts { server_tool_call { name: "web_search" arguments: "{}" status: "completed" native: "{...}" } }
          }
        }
        """,
    ),
    "reasoning, then text, then a refusal": (
        """
        events { part: 0 part_started { reasoning {} } }
        events { part: 0 reasoning: "hm" }
        events { part: 0 reasoning: "m" }
        events { part: 1 text: "but" }
        events { part: 2 refusal: "No" }
        events { part: 2 refusal: "." }
        """,
        """
        choices {
          message {
            role: ROLE_ASSISTANT
            parts { reasoning { text: "hmm" } }
            parts { text: "but" }
            parts { refusal: "No." }
          }
        }
        """,
    ),
    "paragraphs of a summary": (
        """
        events { part_started { reasoning {} } }
        events { summary { paragraph: 0 text: "First" } }
        events { summary { paragraph: 1 text: "Sec" } }
        events { summary { paragraph: 1 text: "ond" } }
        events { summary { paragraph: 0 text: "ly" } }
        events { summary { paragraph: 3 text: "Fourth" } }
        """,
        """
        choices {
          message {
            role: ROLE_ASSISTANT
            parts { reasoning { summary: "Firstly" summary: "Second" summary: "" summary: "Fourth" } }
          }
        }
        """,
    ),
    "pictures and sound": (
        """
        events { part: 0 part_started { image { media { mime_type: "image/png" } } } }
        events { part: 0 media: "\\211P" }
        events { part: 0 media: "NG" }
        events { part: 1 part_started { audio { id: "a1" } } }
        events { part: 1 media: "RI" }
        events { part: 1 part_update { audio { transcript: "hi" } } }
        events { part: 1 media: "FF" }
        """,
        """
        choices {
          message {
            role: ROLE_ASSISTANT
            parts { image { media { mime_type: "image/png" data: "\\211PNG" } } }
            parts { audio { id: "a1" media { data: "RIFF" } transcript: "hi" } }
          }
        }
        """,
    ),
    "several choices, mixed": (
        """
        events { choice: 1 text: "B" }
        events { choice: 0 text: "A" }
        events { choice: 1 text: "b" }
        events { choice: 1 choice_finished { finish_reason: FINISH_REASON_STOP native_finish_reason: "stop" } }
        events { choice: 0 choice_finished {
          finish_reason: FINISH_REASON_STOP_SEQUENCE stop_sequence: "X" finish_detail: "met" message_provider_id: "m1"
          extensions { key: "openai_chat" value: "{}" }
        } }
        """,
        """
        choices {
          index: 0
          message { role: ROLE_ASSISTANT provider_id: "m1" parts { text: "A" } }
          finish_reason: FINISH_REASON_STOP_SEQUENCE stop_sequence: "X" finish_detail: "met"
          extensions { key: "openai_chat" value: "{}" }
        }
        choices {
          index: 1
          message { role: ROLE_ASSISTANT parts { text: "Bb" } }
          finish_reason: FINISH_REASON_STOP native_finish_reason: "stop"
        }
        """,
    ),
    "a choice that says nothing": (
        "events { choice_finished { finish_reason: FINISH_REASON_CONTENT_FILTER } }",
        "choices { message { role: ROLE_ASSISTANT } finish_reason: FINISH_REASON_CONTENT_FILTER }",
    ),
    "the beginning and the end": (
        """
        events { started { id: "r" model: "m-1" provider_response_id: "p" created_at_ms: 5 target: "p/m" } }
        events { finished {
          usage { input_tokens: 1 output_tokens: 2 } cost { nano_usd: 0 } report { target: "p/m" }
          service_tier: "flex" system_fingerprint: "fp" extensions { key: "openai_chat" value: "{}" }
        } }
        """,
        """
        id: "r" model: "m-1" provider_response_id: "p" created_at_ms: 5
        usage { input_tokens: 1 output_tokens: 2 } cost { nano_usd: 0 } report { target: "p/m" }
        service_tier: "flex" system_fingerprint: "fp" extensions { key: "openai_chat" value: "{}" }
        """,
    ),
    "what is not known stays absent": ("events { finished {} }", ""),
    "events that leave no trace": (
        """
        events { heartbeat { silent_ms: 9 } }
        events { text: "Hello" }
        events { usage { input_tokens: 1 } }
        events { resumed { target: "p/other" } }
        events { preview { data: "x" } }
        events {}
        """,
        TEXT % "Hello",
    ),
}


@pytest.mark.parametrize(("events", "expected"), CASES.values(), ids=CASES)
def test_events_make_the_answer(events: str, expected: str) -> None:
    batch = text_format.Parse(events, StreamCompleteResponse())
    builder = AnswerBuilder()
    builder.add(batch)
    assert builder.response() == text_format.Parse(expected, CompleteResponse())


@pytest.mark.parametrize(("events", "expected"), CASES.values(), ids=CASES)
def test_the_batches_they_come_in_make_no_difference(events: str, expected: str) -> None:
    builder = AnswerBuilder()
    for event in text_format.Parse(events, StreamCompleteResponse()).events:
        builder.add(StreamCompleteResponse(events=[event]))
    assert builder.response() == text_format.Parse(expected, CompleteResponse())


def test_a_kind_newer_than_this_client_is_ignored() -> None:
    # Field 900 of Event, length-delimited: a member of the oneof that is yet to come.
    event = Event.FromString(b"\xa2\x38\x03new")
    builder = AnswerBuilder()
    builder.add(StreamCompleteResponse(events=[event, Event(text="Hello")]))
    assert text_of(builder.response()) == "Hello"


def test_events_are_left_as_they_were() -> None:
    batch = text_format.Parse(CASES["updates merge as protobuf merges"][0], StreamCompleteResponse())
    before = StreamCompleteResponse.FromString(batch.SerializeToString())
    builder = AnswerBuilder()
    builder.add(batch)
    builder.response().choices[0].message.parts[0].citations[0].url = "changed"
    assert batch == before


def test_the_text_of_an_answer_is_that_of_its_first_choice() -> None:
    answer = text_format.Parse(
        """
        choices { message { parts { reasoning { text: "hm" } } parts { text: "Hel" } parts { text: "lo" } } }
        choices { message { parts { text: "other" } } }
        """,
        CompleteResponse(),
    )
    assert text_of(answer) == "Hello"
    assert text_of(CompleteResponse()) == ""


def test_the_text_of_events_is_that_of_the_first_choice() -> None:
    assert texts_of([Event(text="Hel"), Event(choice=1, text="x"), Event(reasoning="hm"), Event(text="lo")]) == "Hello"
