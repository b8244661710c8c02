"""Bodies that are not as they may be: always a 4xx in OpenAI's shape that names the parameter, never a call."""

import json
from typing import Any

import aiohttp
import pytest

from fake_gateway import FakeGateway
from trunkline_bridge.settings import BridgeSettings

HI = {"role": "user", "content": "hi"}
MISSING = "missing_required_parameter"
TYPE = "invalid_type"
VALUE = "invalid_value"


@pytest.fixture
def settings() -> BridgeSettings:
    return BridgeSettings(max_messages=5, max_nesting=20)


def nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"a": found}
    return found


def with_(**members: Any) -> dict[str, Any]:  # noqa: ANN401 any JSON
    return {"model": "m", "messages": [HI], **members}


def part(**members: Any) -> dict[str, Any]:  # noqa: ANN401 any JSON
    return with_(messages=[HI, {"role": "user", "content": [{"type": "text", "text": "x"}, members]}])


def saying(**members: Any) -> dict[str, Any]:  # noqa: ANN401 any JSON
    return with_(messages=[members])


PART = "messages[1].content[1]"

# Bodies that are no JSON object at all: nothing can be named.
UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{model: m}",
    "cut off": b'{"model":"m","messages":[',
    "followed by something": b'{"model":"m"} x',
    "NaN": b'{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":NaN}',
    "Infinity": b'{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":-Infinity}',
    "a number beyond all bounds": b'{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":1e999}',
    "invalid UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
    "a lone surrogate": b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    "UTF-16": '{"model":"m"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"model":"m"}',
    "an array": b"[]",
    "a string": b'"hi"',
    "null": b"null",
    "nested beyond any parser": b"[" * 100_000 + b"]" * 100_000,
}

# The body, the parameter named and its code.
WRONG: dict[str, tuple[dict[str, Any] | bytes, str, str | None]] = {
    "no model": ({"messages": [HI]}, "model", MISSING),
    "null model": ({"model": None, "messages": [HI]}, "model", MISSING),
    "empty model": ({"model": "", "messages": [HI]}, "model", "empty_string"),
    "a model that is a number": ({"model": 4, "messages": [HI]}, "model", TYPE),
    "no messages": ({"model": "m"}, "messages", MISSING),
    "empty messages": ({"model": "m", "messages": []}, "messages", "empty_array"),
    "too many messages": ({"model": "m", "messages": [HI] * 6}, "messages", "array_above_max_length"),
    "messages that are text": ({"model": "m", "messages": "hi"}, "messages", TYPE),
    "a message that is text": ({"model": "m", "messages": ["hi"]}, "messages[0]", TYPE),
    "no role": (saying(content="x"), "messages[0].role", MISSING),
    "an unknown role": (saying(role="boss", content="x"), "messages[0].role", VALUE),
    "a role that is a list": (saying(role=["user"], content="x"), "messages[0].role", TYPE),
    "no content": (saying(role="user"), "messages[0].content", MISSING),
    "a content that is a number": (saying(role="user", content=1), "messages[0].content", TYPE),
    "a content without parts": (saying(role="user", content=[]), "messages[0].content", "empty_array"),
    "an assistant that says nothing": (saying(role="assistant"), "messages[0].content", MISSING),
    "a name that is a number": (saying(role="user", content="x", name=1), "messages[0].name", TYPE),
    "a part that is text": (saying(role="user", content=["x"]), "messages[0].content[0]", TYPE),
    "a part without type": (part(text="x"), f"{PART}.type", MISSING),
    "a text without text": (part(type="text"), f"{PART}.text", MISSING),
    "a text that is an object": (part(type="text", text={}), f"{PART}.text", TYPE),
    "an image without url": (part(type="image_url", image_url={}), f"{PART}.image_url.url", MISSING),
    "an image that is text": (part(type="image_url", image_url="http://x.test"), f"{PART}.image_url", TYPE),
    "an image in a file": (
        part(type="image_url", image_url={"url": "file:///etc/passwd"}),
        f"{PART}.image_url.url",
        "invalid_image_url",
    ),
    "an image without comma": (
        part(type="image_url", image_url={"url": "data:image/png;base64"}),
        f"{PART}.image_url.url",
        "invalid_image_url",
    ),
    "an image that is not base64": (
        part(type="image_url", image_url={"url": "data:image/png;base64,é"}),
        f"{PART}.image_url.url",
        "invalid_base64",
    ),
    "an unknown detail": (
        part(type="image_url", image_url={"url": "http://x.test", "detail": "huge"}),
        f"{PART}.image_url.detail",
        VALUE,
    ),
    "sound without format": (
        part(type="input_audio", input_audio={"data": "AA=="}),
        f"{PART}.input_audio.format",
        MISSING,
    ),
    "sound of a strange format": (
        part(type="input_audio", input_audio={"data": "AA==", "format": "../x"}),
        f"{PART}.input_audio.format",
        VALUE,
    ),
    "a file without data": (part(type="file", file={"filename": "x"}), f"{PART}.file.file_data", MISSING),
    "a file given twice": (part(type="file", file={"file_data": "AA==", "file_id": "f"}), f"{PART}.file", VALUE),
    "a breakpoint of no mode": (
        part(type="text", text="x", prompt_cache_breakpoint={}),
        f"{PART}.prompt_cache_breakpoint.mode",
        MISSING,
    ),
    "a breakpoint of a strange lifetime": (
        part(type="text", text="x", prompt_cache_breakpoint={"mode": "explicit", "ttl": "1y"}),
        f"{PART}.prompt_cache_breakpoint.ttl",
        VALUE,
    ),
    "a breakpoint of a strange mode": (
        part(type="text", text="x", prompt_cache_breakpoint={"mode": "implicit"}),
        f"{PART}.prompt_cache_breakpoint.mode",
        VALUE,
    ),
    "a breakpoint with something else": (
        part(type="text", text="x", prompt_cache_breakpoint={"mode": "explicit", "at": 1}),
        f"{PART}.prompt_cache_breakpoint.at",
        "unknown_parameter",
    ),
    "a result of no call": (saying(role="tool", content="x"), "messages[0].tool_call_id", MISSING),
    "a result without content": (saying(role="tool", tool_call_id="c"), "messages[0].content", MISSING),
    "a function's result without its call": (saying(role="function", name="f", content="x"), "messages[0].name", VALUE),
    "a call without id": (
        saying(role="assistant", tool_calls=[{"type": "function", "function": {"name": "f", "arguments": ""}}]),
        "messages[0].tool_calls[0].id",
        MISSING,
    ),
    "a call whose arguments are an object": (
        saying(
            role="assistant", tool_calls=[{"id": "c", "type": "function", "function": {"name": "f", "arguments": {}}}]
        ),
        "messages[0].tool_calls[0].function.arguments",
        TYPE,
    ),
    "a call of a strange type": (
        saying(role="assistant", tool_calls=[{"id": "c", "type": "robot"}]),
        "messages[0].tool_calls[0].type",
        VALUE,
    ),
    "a temperature in words": (with_(temperature="hot"), "temperature", TYPE),
    "a temperature that is true": (with_(temperature=True), "temperature", TYPE),
    "too hot": (with_(temperature=2.1), "temperature", "decimal_above_max_value"),
    "too cold": (with_(temperature=-1), "temperature", "decimal_below_min_value"),
    "top_p": (with_(top_p=1.5), "top_p", "decimal_above_max_value"),
    "penalty": (with_(presence_penalty=-3), "presence_penalty", "decimal_below_min_value"),
    "half a token": (with_(max_tokens=1.5), "max_tokens", TYPE),
    "no token": (with_(max_completion_tokens=0), "max_completion_tokens", "integer_below_min_value"),
    "more tokens than there are": (with_(max_tokens=2**31), "max_tokens", "integer_above_max_value"),
    "too many choices": (with_(n=129), "n", "integer_above_max_value"),
    "a seed beyond 64 bits": (with_(seed=2**63), "seed", "integer_above_max_value"),
    "a seed of 40 digits": (with_(seed=10**39), "seed", "integer_above_max_value"),
    "logprobs as a number": (with_(logprobs=1), "logprobs", TYPE),
    "too many logprobs": (with_(top_logprobs=21), "top_logprobs", "integer_above_max_value"),
    "a bias for a word": (with_(logit_bias={"hello": 1}), "logit_bias", VALUE),
    "too strong a bias": (with_(logit_bias={"5": 101}), "logit_bias.5", "decimal_above_max_value"),
    "a stop that is a number": (with_(stop=1), "stop", TYPE),
    "stops that are numbers": (with_(stop=["a", 1]), "stop[1]", TYPE),
    "stream in words": (with_(stream="yes"), "stream", TYPE),
    "stream_options in words": (with_(stream_options="usage"), "stream_options", TYPE),
    "include_usage in words": (with_(stream_options={"include_usage": "yes"}), "stream_options.include_usage", TYPE),
    "tools that are an object": (with_(tools={}), "tools", TYPE),
    "a tool without type": (with_(tools=[{}]), "tools[0].type", MISSING),
    "a function without name": (with_(tools=[{"type": "function", "function": {}}]), "tools[0].function.name", MISSING),
    "a schema that is text": (
        with_(tools=[{"type": "function", "function": {"name": "f", "parameters": "{}"}}]),
        "tools[0].function.parameters",
        TYPE,
    ),
    "a grammar of no syntax": (
        with_(tools=[{"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": {}}}}]),
        "tools[0].custom.format.grammar.syntax",
        MISSING,
    ),
    "a strange tool_choice": (with_(tool_choice="maybe"), "tool_choice", VALUE),
    "a tool_choice of a strange type": (with_(tool_choice={"type": "any"}), "tool_choice.type", VALUE),
    "a tool_choice without name": (
        with_(tool_choice={"type": "function", "function": {}}),
        "tool_choice.function.name",
        MISSING,
    ),
    "response_format in words": (with_(response_format="json"), "response_format", TYPE),
    "a schema without name": (
        with_(response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
        "response_format.json_schema.name",
        MISSING,
    ),
    "reasoning_effort as a number": (with_(reasoning_effort=3), "reasoning_effort", TYPE),
    "a strange modality": (with_(modalities=["text", "smell"]), "modalities[1]", VALUE),
    "audio without voice": (with_(audio={"format": "wav"}), "audio.voice", MISSING),
    "a tool_choice that is a number": (with_(tool_choice=1), "tool_choice", TYPE),
    "a function_call that is a number": (with_(functions=[{"name": "f"}], function_call=1), "function_call", TYPE),
    "a custom tool of a strange format": (
        with_(tools=[{"type": "custom", "custom": {"name": "c", "format": {"type": "xml"}}}]),
        "tools[0].custom.format.type",
        VALUE,
    ),
    "a prediction of a strange type": (
        with_(prediction={"type": "guess", "content": "x"}),
        "prediction.type",
        VALUE,
    ),
    "a prediction of pictures": (
        with_(prediction={"type": "content", "content": [{"type": "image_url"}]}),
        "prediction.content[0].type",
        VALUE,
    ),
    "metadata of numbers": (with_(metadata={"a": 1}), "metadata.a", TYPE),
    "base_url": (with_(base_url="http://evil.test"), "base_url", "unknown_parameter"),
    "api_key": (with_(api_key="sk"), "api_key", "unknown_parameter"),
    "headers": (with_(headers={}), "headers", "unknown_parameter"),
    "extra_headers": (with_(extra_headers={}), "extra_headers", "unknown_parameter"),
    "a strange wish": (with_(trunkline={"cheap": True}), "trunkline.cheap", "unknown_parameter"),
    "a wish of the wrong type": (with_(trunkline={"targets": "a/b"}), "trunkline.targets", TYPE),
    "a strange priority": (with_(trunkline={"priority": "urgent"}), "trunkline.priority", VALUE),
    "a strange cache mode": (with_(trunkline={"cache": {"mode": "maybe"}}), "trunkline.cache.mode", VALUE),
    "a strange member of a wish": (with_(trunkline={"cache": {"ttl": 5}}), "trunkline.cache.ttl", "unknown_parameter"),
    "a member twice": (
        b'{"model":"m","model":"n","messages":[{"role":"user","content":"hi"}]}',
        "model",
        "duplicate_parameter",
    ),
    "a member twice further down": (
        b'{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}',
        "messages[0].content",
        "duplicate_parameter",
    ),
    "nested too deep": (with_(metadata=nested(30)), "metadata.a.a.a...", "nesting_too_deep"),
}


async def refused(http: aiohttp.ClientSession, body: bytes) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    async with http.post("/v1/chat/completions", data=body, headers=headers) as response:
        assert response.status == 400
        assert response.content_type == "application/json"
        assert response.headers["x-request-id"].startswith("req_")
        found = await response.json()
    assert found.keys() == {"error"}
    error: dict[str, Any] = found["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    return error


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_body_that_is_no_json_object_is_refused(
    http: aiohttp.ClientSession, gateway: FakeGateway, body: bytes
) -> None:
    error = await refused(http, body)
    assert error["message"].startswith("The request body ")
    assert not gateway.calls


@pytest.mark.parametrize(("body", "param", "code"), WRONG.values(), ids=WRONG)
async def test_a_wrong_parameter_is_named(
    http: aiohttp.ClientSession, gateway: FakeGateway, body: dict[str, Any] | bytes, param: str, code: str | None
) -> None:
    error = await refused(http, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert (error["param"], error["code"]) == (param, code)
    assert param in error["message"]
    assert not gateway.calls


async def test_a_complaint_quotes_no_text_of_the_client(http: aiohttp.ClientSession) -> None:
    canary = "c4n4ry"
    for body in (
        saying(role=canary, content="x"),
        with_(tool_choice=canary),
        part(type="image_url", image_url={"url": canary}),
        with_(stop=[canary, 1]),
    ):
        assert canary not in (await refused(http, json.dumps(body).encode()))["message"]
