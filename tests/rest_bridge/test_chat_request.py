"""What each parameter of OpenAI's chat API becomes in the contract."""

import json
from typing import Any

import pytest

from trunkline.v1 import Audio as Sound
from trunkline.v1 import (
    AudioOutput,
    CacheMode,
    CachePolicy,
    Citation,
    CompleteRequest,
    CustomTool,
    File,
    FormatKind,
    Image,
    ImageDetail,
    Media,
    Message,
    Modality,
    Opaque,
    Part,
    Priority,
    PromptCache,
    PromptCacheMode,
    ProviderState,
    Reasoning,
    ReasoningConfig,
    ReasoningEffort,
    ResponseFormat,
    Role,
    Routing,
    ServerTool,
    StateKind,
    Tool,
    ToolCall,
    ToolChoice,
    ToolChoiceMode,
    ToolKind,
    ToolResult,
    Verbosity,
)
from trunkline_bridge.openai.chat_request import ChatAsk, read_chat_request

HI = {"role": "user", "content": "hi"}
FUNCTION = ToolKind.TOOL_KIND_FUNCTION


def read(**members: Any) -> ChatAsk:  # noqa: ANN401 any JSON
    return read_chat_request({"model": "m", "messages": [HI], **members}, max_messages=100)


def read_messages(*messages: dict[str, Any]) -> list[Message]:
    return list(read(messages=list(messages)).request.messages)


def extension(members: object) -> dict[str, str]:
    return {"openai_chat": json.dumps(members, separators=(",", ":"))}


# What is in the body, and what it sets in the request beside the model and one message.
PARAMETERS: dict[str, tuple[dict[str, Any], CompleteRequest]] = {
    "sampling": (
        {"temperature": 0, "top_p": 0.5, "frequency_penalty": -1, "presence_penalty": 1.5, "seed": -7},
        CompleteRequest(temperature=0, top_p=0.5, frequency_penalty=-1, presence_penalty=1.5, seed=-7),
    ),
    "null is absent": (
        {"temperature": None, "tools": None, "stop": None, "stream_options": None, "min_p": None, "user": None},
        CompleteRequest(),
    ),
    "max_completion_tokens": ({"max_completion_tokens": 9}, CompleteRequest(max_output_tokens=9)),
    "max_tokens": ({"max_tokens": 9}, CompleteRequest(max_output_tokens=9)),
    "the newer limit counts": ({"max_tokens": 9, "max_completion_tokens": 8}, CompleteRequest(max_output_tokens=8)),
    "stop text": ({"stop": "END"}, CompleteRequest(stop=["END"])),
    "stop texts": ({"stop": ["a", "b"]}, CompleteRequest(stop=["a", "b"])),
    "logit_bias": ({"logit_bias": {"50256": -100, "7": 0.5}}, CompleteRequest(logit_bias={50256: -100, 7: 0.5})),
    "logprobs": ({"logprobs": True, "top_logprobs": 3}, CompleteRequest(logprobs=True, top_logprobs=3)),
    "n": ({"n": 2}, CompleteRequest(choice_count=2)),
    "modalities and audio": (
        {"modalities": ["text", "audio"], "audio": {"format": "mp3", "voice": "alloy"}},
        CompleteRequest(
            output_modalities=[Modality.MODALITY_TEXT, Modality.MODALITY_AUDIO],
            audio_output=AudioOutput(format="mp3", voice="alloy"),
        ),
    ),
    "a voice of one's own": (
        {"audio": {"format": "wav", "voice": {"id": "voice_1"}}},
        CompleteRequest(audio_output=AudioOutput(format="wav", voice="voice_1")),
    ),
    "prediction": (
        {"prediction": {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}},
        CompleteRequest(prediction=[Part(text="a"), Part(text="b")]),
    ),
    "what vendors add to audio and prediction": (
        {
            "audio": {"format": "wav", "voice": "v", "speed": 2},
            "prediction": {"type": "content", "content": "p", "weight": 1},
        },
        CompleteRequest(
            audio_output=AudioOutput(format="wav", voice="v"),
            prediction=[Part(text="p")],
            extensions=extension({"audio": {"speed": 2}, "prediction": {"weight": 1}}),
        ),
    ),
    "prompt cache": (
        {"prompt_cache_key": "k", "prompt_cache_options": {"mode": "explicit", "ttl": "30m", "prewarm": True}},
        CompleteRequest(
            prompt_cache=PromptCache(key="k", mode=PromptCacheMode.PROMPT_CACHE_MODE_EXPLICIT, ttl_s=1800),
            extensions=extension({"prompt_cache_options": {"prewarm": True}}),
        ),
    ),
    "who and what for": (
        {"safety_identifier": "s", "user": "u", "metadata": {"a": "b"}, "store": False, "service_tier": "flex"},
        CompleteRequest(end_user="s", metadata={"a": "b"}, store=False, service_tier="flex"),
    ),
    "user": ({"user": "u"}, CompleteRequest(end_user="u")),
    "reasoning_effort": (
        {"reasoning_effort": "xhigh", "verbosity": "low"},
        CompleteRequest(
            reasoning=ReasoningConfig(effort=ReasoningEffort.REASONING_EFFORT_XHIGH),
            verbosity=Verbosity.VERBOSITY_LOW,
        ),
    ),
    "a vendor's effort": (
        {"reasoning_effort": "ultra", "verbosity": "terse"},
        CompleteRequest(reasoning=ReasoningConfig(native_effort="ultra"), extensions=extension({"verbosity": "terse"})),
    ),
    "json_object": (
        {"response_format": {"type": "json_object"}},
        CompleteRequest(response_format=ResponseFormat(kind=FormatKind.FORMAT_KIND_JSON_OBJECT)),
    ),
    "json_schema keeps the order of its members": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "n",
                    "description": "d",
                    "strict": True,
                    "schema": {"type": "object", "properties": {"z": {}, "a": {"multipleOf": 0.1}}},
                    "vendor": 1,
                },
            }
        },
        CompleteRequest(
            response_format=ResponseFormat(
                kind=FormatKind.FORMAT_KIND_JSON_SCHEMA,
                name="n",
                description="d",
                strict=True,
                schema='{"type":"object","properties":{"z":{},"a":{"multipleOf":0.1}}}',
            ),
            extensions=extension({"response_format": {"json_schema": {"vendor": 1}}}),
        ),
    ),
    "a vendor's format": (
        {"response_format": {"type": "grammar", "grammar": "x"}},
        CompleteRequest(extensions=extension({"response_format": {"type": "grammar", "grammar": "x"}})),
    ),
    "vendors' members and those without a field": (
        {"web_search_options": {"search_context_size": "low"}, "moderation": {"model": "m"}, "guided_json": {"b": 1}},
        CompleteRequest(
            extensions=extension(
                {
                    "web_search_options": {"search_context_size": "low"},
                    "moderation": {"model": "m"},
                    "guided_json": {"b": 1},
                }
            )
        ),
    ),
    "tools": (
        {
            "parallel_tool_calls": False,
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "description": "d",
                        "parameters": {"type": "object"},
                        "strict": False,
                        "hint": 1,
                    },
                    "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"},
                    "cache_control": {"type": "ephemeral"},
                },
                {"type": "function", "function": {"name": "bare"}},
                {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
                {
                    "type": "custom",
                    "custom": {
                        "name": "g",
                        "description": "d",
                        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /x/"}},
                    },
                },
                {"type": "browser_search", "name": "b", "depth": 2},
            ],
        },
        CompleteRequest(
            parallel_tool_calls=False,
            tools=[
                Tool(
                    name="f",
                    description="d",
                    parameters='{"type":"object"}',
                    strict=False,
                    cache_ttl_s=43200,
                    extensions=extension({"cache_control": {"type": "ephemeral"}, "function": {"hint": 1}}),
                ),
                Tool(name="bare"),
                Tool(name="c", custom=CustomTool()),
                Tool(name="g", description="d", custom=CustomTool(syntax="lark", grammar="start: /x/")),
                Tool(name="b", server=ServerTool(dialect="openai_chat", type="browser_search", settings='{"depth":2}')),
            ],
        ),
    ),
    "tool_choice word": (
        {"tool_choice": "required"},
        CompleteRequest(tool_choice=ToolChoice(mode=ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED)),
    ),
    "tool_choice in Mistral's word": (
        {"tool_choice": "any"},
        CompleteRequest(tool_choice=ToolChoice(mode=ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED)),
    ),
    "tools as Mistral's client sends them": (
        {"tools": [{"function": {"name": "f"}}]},
        CompleteRequest(tools=[Tool(name="f")]),
    ),
    "tool_choice function": (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        CompleteRequest(tool_choice=ToolChoice(mode=ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED, names=["f"])),
    ),
    "tool_choice custom": (
        {"tool_choice": {"type": "custom", "custom": {"name": "c"}}},
        CompleteRequest(tool_choice=ToolChoice(mode=ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED, names=["c"])),
    ),
    "tool_choice allowed_tools": (
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [
                        {"type": "function", "function": {"name": "f"}},
                        {"type": "custom", "custom": {"name": "c"}},
                    ],
                },
            }
        },
        CompleteRequest(tool_choice=ToolChoice(mode=ToolChoiceMode.TOOL_CHOICE_MODE_AUTO, names=["f", "c"])),
    ),
    "functions": (
        {"functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"}},
        CompleteRequest(
            tools=[Tool(name="f", parameters="{}")],
            tool_choice=ToolChoice(mode=ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED, names=["f"]),
            parallel_tool_calls=False,
        ),
    ),
    "stream_options beyond OpenAI's": (
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False, "continuous": True}},
        CompleteRequest(extensions=extension({"stream_options": {"continuous": True}})),
    ),
    "wishes": (
        {
            "trunkline": {
                "strategy": "cheapest",
                "targets": ["a/b"],
                "no_fallback": True,
                "max_attempts": 2,
                "timeout_ms": 1000,
                "first_token_timeout_ms": 10,
                "strict": True,
                "priority": "high",
                "affinity_key": "s",
                "tags": {"team": "x"},
                "cache": {"mode": "refresh", "ttl_s": 60},
            }
        },
        CompleteRequest(
            routing=Routing(
                strategy="cheapest",
                targets=["a/b"],
                no_fallback=True,
                max_attempts=2,
                timeout_ms=1000,
                first_token_timeout_ms=10,
                strict=True,
                priority=Priority.PRIORITY_HIGH,
                affinity_key="s",
                tags={"team": "x"},
                cache=CachePolicy(mode=CacheMode.CACHE_MODE_REFRESH, ttl_s=60),
            )
        ),
    ),
}


@pytest.mark.parametrize(("members", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_a_parameter_becomes_its_field(members: dict[str, Any], expected: CompleteRequest) -> None:
    expected.model = "m"
    expected.messages.add(role=Role.ROLE_USER).parts.add(text="hi")
    assert read(**members).request == expected


def text_parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def user(*parts: Part) -> Message:
    return Message(role=Role.ROLE_USER, parts=parts)


MESSAGES: dict[str, tuple[dict[str, Any], Message]] = {
    "system": (
        {"role": "system", "content": "be brief"},
        Message(role=Role.ROLE_SYSTEM, parts=[Part(text="be brief")]),
    ),
    "developer with a name": (
        {"role": "developer", "content": [{"type": "text", "text": "x"}], "name": "ann"},
        Message(role=Role.ROLE_DEVELOPER, parts=[Part(text="x")], name="ann"),
    ),
    "an empty text is a text": ({"role": "user", "content": ""}, user(Part(text=""))),
    "a vendor's members of a message": (
        {"role": "user", "content": "x", "weight": 1, "none": None},
        Message(role=Role.ROLE_USER, parts=[Part(text="x")], extensions=extension({"weight": 1})),
    ),
    "a cache breakpoint": (
        text_parts(
            {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "text", "text": "y", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
        ),
        user(Part(text="x", cache_ttl_s=0), Part(text="y", cache_ttl_s=1800)),
    ),
    "a part with a vendor's members": (
        text_parts({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
        user(Part(text="x", extensions=extension({"cache_control": {"type": "ephemeral"}}))),
    ),
    "an image by address": (
        text_parts({"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "original", "w": 1}}),
        user(
            Part(
                image=Image(media=Media(url="https://x.test/a.png"), detail=ImageDetail.IMAGE_DETAIL_ORIGINAL),
                extensions=extension({"image_url": {"w": 1}}),
            )
        ),
    ),
    "an image inline": (
        text_parts({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}),
        user(Part(image=Image(media=Media(data=b"\x89PNG", mime_type="image/png")))),
    ),
    "a data URL that is not base64": (
        text_parts({"type": "image_url", "image_url": {"url": "data:image/svg+xml,%3Csvg/%3E"}}),
        user(Part(image=Image(media=Media(data=b"<svg/>", mime_type="image/svg+xml")))),
    ),
    "sound": (
        text_parts({"type": "input_audio", "input_audio": {"data": "AAEC", "format": "mp3"}}),
        user(Part(audio=Sound(media=Media(data=b"\x00\x01\x02", mime_type="audio/mpeg")))),
    ),
    "a file inline": (
        text_parts(
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}}
        ),
        user(Part(file=File(media=Media(data=b"%PDF", mime_type="application/pdf", file_name="a.pdf")))),
    ),
    "a file in bare base64": (
        text_parts({"type": "file", "file": {"file_data": "JVBERg=="}}),
        user(Part(file=File(media=Media(data=b"%PDF")))),
    ),
    "a file by id": (
        text_parts({"type": "file", "file": {"file_id": "file-1"}}),
        user(Part(file=File(media=Media(file_id="file-1")))),
    ),
    "a part of one vendor": (
        text_parts({"type": "video_url", "video_url": {"url": "https://x.test/v"}}),
        user(
            Part(
                opaque=Opaque(
                    dialect="openai_chat",
                    type="video_url",
                    native='{"type":"video_url","video_url":{"url":"https://x.test/v"}}',
                )
            )
        ),
    ),
    "an assistant that thought, spoke and called": (
        {
            "role": "assistant",
            "reasoning_content": "hm",
            "content": "let me see",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{ "a": 1}'},
                    "extra_content": 1,
                },
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "raw"}},
            ],
            "refusal": None,
            "audio": None,
            "annotations": [],
            "function_call": None,
        },
        Message(
            role=Role.ROLE_ASSISTANT,
            parts=[
                Part(reasoning=Reasoning(text="hm"), state=ProviderState(kind=StateKind.STATE_KIND_PLAIN_TEXT)),
                Part(text="let me see"),
                Part(
                    tool_call=ToolCall(id="c1", name="f", arguments='{ "a": 1}', kind=FUNCTION),
                    extensions=extension({"extra_content": 1}),
                ),
                Part(tool_call=ToolCall(id="c2", name="g", arguments="raw", kind=ToolKind.TOOL_KIND_CUSTOM)),
            ],
        ),
    ),
    "thinking under its other name": (
        {"role": "assistant", "content": "a", "reasoning": "hm", "reasoning_details": [{"type": "x"}]},
        Message(
            role=Role.ROLE_ASSISTANT,
            parts=[
                Part(reasoning=Reasoning(text="hm"), state=ProviderState(kind=StateKind.STATE_KIND_PLAIN_TEXT)),
                Part(text="a"),
            ],
            extensions=extension({"reasoning_details": [{"type": "x"}]}),
        ),
    ),
    "an empty text beside calls is none": (
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}],
        },
        Message(role=Role.ROLE_ASSISTANT, parts=[Part(tool_call=ToolCall(id="c", name="f", kind=FUNCTION))]),
    ),
    "an assistant that refused": (
        {"role": "assistant", "content": None, "refusal": "no"},
        Message(role=Role.ROLE_ASSISTANT, parts=[Part(refusal="no")]),
    ),
    "an assistant that refused in parts": (
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}]},
        Message(role=Role.ROLE_ASSISTANT, parts=[Part(text="a"), Part(refusal="no")]),
    ),
    "an assistant that said nothing, but said it": (
        {"role": "assistant", "content": ""},
        Message(role=Role.ROLE_ASSISTANT, parts=[Part(text="")]),
    ),
    "thinking under two names that differ": (
        {"role": "assistant", "content": "a", "reasoning_content": "hm", "reasoning": {"effort": 1}},
        Message(
            role=Role.ROLE_ASSISTANT,
            parts=[
                Part(reasoning=Reasoning(text="hm"), state=ProviderState(kind=StateKind.STATE_KIND_PLAIN_TEXT)),
                Part(text="a"),
            ],
            extensions=extension({"reasoning": {"effort": 1}}),
        ),
    ),
    "sources of another kind": (
        {"role": "assistant", "content": "a", "annotations": [{"type": "file_citation", "file": 1}]},
        Message(
            role=Role.ROLE_ASSISTANT,
            parts=[Part(text="a")],
            extensions=extension({"annotations": [{"type": "file_citation", "file": 1}]}),
        ),
    ),
    "sources of no text": (
        {"role": "assistant", "refusal": "no", "annotations": [{"type": "url_citation"}]},
        Message(
            role=Role.ROLE_ASSISTANT,
            parts=[Part(refusal="no")],
            extensions=extension({"annotations": [{"type": "url_citation"}]}),
        ),
    ),
    "a call with a vendor's members": (
        {"role": "assistant", "tool_calls": [{"id": "c", "custom": {"name": "g", "input": "x", "lang": "y"}}]},
        Message(
            role=Role.ROLE_ASSISTANT,
            parts=[
                Part(
                    tool_call=ToolCall(id="c", name="g", arguments="x", kind=ToolKind.TOOL_KIND_CUSTOM),
                    extensions=extension({"custom": {"lang": "y"}}),
                )
            ],
        ),
    ),
    "an assistant that spoke aloud": (
        {"role": "assistant", "audio": {"id": "audio_1", "transcript": "hello"}},
        Message(role=Role.ROLE_ASSISTANT, parts=[Part(audio=Sound(id="audio_1", transcript="hello"))]),
    ),
    "an assistant with sources": (
        {
            "role": "assistant",
            "content": "it is so",
            "annotations": [
                {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 2}}
            ],
        },
        Message(
            role=Role.ROLE_ASSISTANT,
            parts=[
                Part(text="it is so", citations=[Citation(kind="url_citation", url="u", title="t", start=0, end=2)])
            ],
        ),
    ),
    "a tool's result": (
        {"role": "tool", "tool_call_id": "c1", "content": '{"a":1}'},
        Message(role=Role.ROLE_TOOL, parts=[Part(tool_result=ToolResult(call_id="c1", parts=[Part(text='{"a":1}')]))]),
    ),
    "a tool's failure in parts": (
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [{"type": "text", "text": "a"}],
            "name": "f",
            "is_error": True,
        },
        Message(
            role=Role.ROLE_TOOL,
            parts=[Part(tool_result=ToolResult(call_id="c1", parts=[Part(text="a")], name="f", is_error=True))],
        ),
    ),
}


@pytest.mark.parametrize(("message", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_a_message_becomes_parts_in_order(message: dict[str, Any], expected: Message) -> None:
    assert read_messages(message) == [expected]


def test_calls_of_the_functions_api_are_given_ids_that_their_results_repeat() -> None:
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    result = {"role": "function", "name": "f", "content": "42"}
    messages = read_messages(HI, call, result, call, result)
    ids = [part.tool_call.id or part.tool_result.call_id for message in messages[1:] for part in message.parts]
    assert ids == ["call_function_1", "call_function_1", "call_function_2", "call_function_2"]
    assert messages[2] == Message(
        role=Role.ROLE_TOOL,
        parts=[
            Part(tool_result=ToolResult(call_id="call_function_1", name="f", kind=FUNCTION, parts=[Part(text="42")]))
        ],
    )


def test_the_form_of_the_answer_is_read() -> None:
    plain = read()
    assert (plain.stream, plain.include_usage, plain.functions) == (False, False, False)
    asked = read(stream=True, stream_options={"include_usage": True}, functions=[{"name": "f"}])
    assert (asked.stream, asked.include_usage, asked.functions) == (True, True, True)
