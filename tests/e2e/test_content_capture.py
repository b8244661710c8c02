"""Prompts and answers in spans and events: only where the operator wants them, cut to size, without secrets."""

import json
from typing import Any

import openai
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from openai_client import openai_client
from otlp_collector import OtlpCollector, plain_attributes, running_collector
from running_gateway import running_gateway, settings_for
from trunkline_server.telemetry import names
from trunkline_server.telemetry.content import CUT, MAX_ALL_CHARS, MAX_TEXT_CHARS
from upstream import Answer, answers, chunk, fails, running_upstream

CONTENT = (names.SYSTEM_INSTRUCTIONS, names.INPUT_MESSAGES, names.OUTPUT_MESSAGES, names.TOOL_DEFINITIONS)
VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
PNG = "data:image/png;base64,iVBORw0KGgo="
MESSAGES: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is it? My key is sk-canary-1234567890."},
            {"type": "image_url", "image_url": {"url": PNG}},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png?signature=canary"}},
        ],
    },
    {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
]
TOOLS: list[Any] = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


async def ask(
    collector: OtlpCollector, *, stream: bool = False, messages: list[Any] = MESSAGES, capture: str = ""
) -> None:
    """One request that falls back once."""
    async with running_upstream(fails(500, {"message": "x"})) as first, running_upstream(answers("A cat.")) as second:
        settings = settings_for(
            {"a": first.base_url, "b": second.base_url},
            telemetry={"otlp_endpoint": collector.grpc_endpoint, "capture_content": capture or None},
        )
        async with running_gateway(settings) as gateway, openai_client(gateway) as client:
            answer = await client.chat.completions.create(
                model="m", messages=messages, tools=TOOLS, stream=stream, stop=["THE END"]
            )
            if stream:
                _ = [chunk async for chunk in answer]  # type: ignore[union-attr]  # it is a stream


def with_content(collector: OtlpCollector) -> list[dict[str, Any]]:
    """The attributes of the spans that carry content."""
    found = [plain_attributes(span.attributes) for span in collector.spans]
    return [attributes for attributes in found if any(name in attributes for name in CONTENT)]


def events(collector: OtlpCollector) -> list[LogRecord]:
    return [record for record in collector.logs if record.event_name == names.INFERENCE_DETAILS_EVENT]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_asked_and_answered_stands_on_the_attempt_that_answered(*, stream: bool) -> None:
    async with running_collector() as collector:
        await ask(collector, stream=stream, capture="span_only")
    (found,) = with_content(collector)
    assert found["trunkline.attempt"] == 2
    assert json.loads(found[names.SYSTEM_INSTRUCTIONS]) == [{"type": "text", "content": "Be brief."}]
    assert json.loads(found[names.INPUT_MESSAGES]) == [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "What is it? My key is ***"},
                {"type": "blob", "size": 8, "modality": "image", "mime_type": "image/png"},
                {"type": "uri", "uri": "https://example.com/cat.png", "modality": "image"},
            ],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": '{"at":1}'}],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "c1", "response": [{"type": "text", "content": "a cat"}]}],
        },
    ]
    assert json.loads(found[names.OUTPUT_MESSAGES]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "A cat."}], "finish_reason": "stop"}
    ]
    assert json.loads(found[names.TOOL_DEFINITIONS]) == [
        {"type": "function", "name": "look", "parameters": '{"type":"object"}'}
    ]
    assert found[names.REQUEST_STOP_SEQUENCES] == ["THE END"]
    assert events(collector) == []


@pytest.mark.parametrize(
    ("configured", "variable", "spans", "logs"),
    [
        ("", "", 0, 0),
        ("", "SPAN_ONLY", 1, 0),
        ("", "true", 1, 0),
        ("", "EVENT_ONLY", 0, 1),
        ("", "SPAN_AND_EVENT", 1, 1),
        ("event_only", "SPAN_ONLY", 0, 1),
        ("no_content", "SPAN_AND_EVENT", 0, 0),
        ("", "a word nobody knows", 0, 0),
    ],
)
async def test_the_configuration_comes_first_and_then_the_variable(
    configured: str, variable: str, spans: int, logs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, variable)
    async with running_collector() as collector:
        await ask(collector, capture=configured)
    assert (len(with_content(collector)), len(events(collector))) == (spans, logs)


async def test_the_event_belongs_to_the_attempts_span() -> None:
    async with running_collector() as collector:
        await ask(collector, capture="event_only")
    (event,) = events(collector)
    (span,) = [span for span in collector.spans if plain_attributes(span.attributes).get("trunkline.attempt") == 2]
    assert (event.trace_id, event.span_id) == (span.trace_id, span.span_id)
    attributes = plain_attributes(event.attributes)
    assert attributes["gen_ai.usage.output_tokens"] == 7
    assert "A cat." in attributes[names.OUTPUT_MESSAGES]


async def test_long_texts_are_cut() -> None:
    many = [{"role": "user", "content": f"{number}-" + "word " * 20_000} for number in range(40)]
    async with running_collector() as collector:
        await ask(collector, messages=many, capture="span_only")
    (found,) = with_content(collector)
    messages = json.loads(found[names.INPUT_MESSAGES])
    texts = [message["parts"][0]["content"] for message in messages]
    assert len(texts) == 40
    assert texts[0].startswith("0-word")
    assert all(text.endswith(CUT) and len(text) <= MAX_TEXT_CHARS + len(CUT) for text in texts)
    assert sum(len(text) - len(CUT) for text in texts) <= MAX_ALL_CHARS


async def breaks_off(answer: Answer) -> None:
    await answer.start_stream()
    await answer.frame(chunk({"role": "assistant", "content": "one"}))
    answer.hang_up()


async def test_of_an_answer_that_broke_off_there_is_what_came() -> None:
    async with running_collector() as collector, running_upstream(breaks_off) as up:
        telemetry = {"otlp_endpoint": collector.grpc_endpoint, "capture_content": "span_only"}
        settings = settings_for({"a": up.base_url}, telemetry=telemetry)
        async with running_gateway(settings) as gateway, openai_client(gateway) as client:
            stream = await client.chat.completions.create(model="m", messages=MESSAGES[1:2], stream=True)
            with pytest.raises(openai.APIError):
                _ = [piece async for piece in stream]
    (found,) = with_content(collector)
    assert json.loads(found[names.OUTPUT_MESSAGES]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "one"}], "finish_reason": "error"}
    ]
