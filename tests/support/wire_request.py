"""What a request of the chat completions wire asks, read without a line of the gateway's code.

Two bodies that ask the same have the same meaning here, whichever of several spellings they use.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]

# Spellings of one parameter: the deprecated ones of OpenAI, and Mistral's.
SPELLINGS: Mapping[str, str] = {
    "max_tokens": "max_completion_tokens",
    "random_seed": "seed",
    "user": "safety_identifier",
}

# What a request asks that says nothing of it.
DEFAULTS: Mapping[str, object] = {
    "logprobs": False,
    "n": 1,
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "store": False,
    "stream": False,
    "tool_choice": "auto",
    "tools": [],
}

# How the answer is to be sent, which is between each two neighbours: the gateway always wants the usage of a stream
# for itself, and no padding.
NEIGHBOURLY = frozenset({"include_obfuscation", "include_usage"})

NO_PARAMETERS: Json = {"type": "object", "properties": {}}


def read_request(body: Json) -> Json:
    """The body in one spelling, without what goes without saying."""
    found = {SPELLINGS.get(name, name): value for name, value in body.items()}
    for name, read in _READERS.items():
        if found.get(name) is not None:
            found[name] = read(found[name])
    if functions := found.pop("functions", None):
        found["tools"] = [_tool({"function": function}) for function in functions]
        found["parallel_tool_calls"] = False  # that API knows one call
    if (call := found.pop("function_call", None)) is not None:
        found["tool_choice"] = call if isinstance(call, str) else {"type": "function", "function": call}
    return {
        name: value
        for name, value in found.items()
        if value is not None and value != {} and value != DEFAULTS.get(name)
    }


def _stream_options(options: Json) -> Json:
    return {name: value for name, value in options.items() if name not in NEIGHBOURLY}


def _stop(stop: str | list[str]) -> list[str]:
    return [stop] if isinstance(stop, str) else stop


def _tool_choice(choice: str | Json) -> str | Json:
    return "required" if choice == "any" else choice  # Mistral's word for it


def _tool(tool: Json) -> Json:
    tool = {"type": "function", **tool}
    if tool["type"] == "function":
        function = {name: value for name, value in tool["function"].items() if value not in (None, "")}
        tool["function"] = {"parameters": NO_PARAMETERS, **function}
    return tool


def _message(message: Json) -> Json:
    """Members that are null or empty say nothing, and so does `prefix: false`, which Mistral's client always sends."""
    found = {name: value for name, value in message.items() if value not in (None, "", [], False)}
    if isinstance(content := found.get("content"), list):
        parts = [_part(part) for part in content]
        plain = len(parts) == 1 and parts[0].keys() == {"type", "text"}
        found["content"] = parts[0]["text"] if plain else parts
    if reasoning := found.pop("reasoning_content", None):
        found["reasoning"] = reasoning
    if calls := found.get("tool_calls"):
        found["tool_calls"] = [_call(call) for call in calls]
    return found


def _call(call: Json) -> Json:
    found = {"type": "function", **call}
    found.pop("index", None)  # of an answer that is sent back; the order says it
    return found


def _part(part: Json) -> Json:
    match part.get("type"):
        case "image_url":
            return {**part, "image_url": {**part["image_url"], "url": _address(part["image_url"]["url"])}}
        case "file" if data := part["file"].get("file_data"):
            return {**part, "file": {**part["file"], "file_data": _address(data)}}
        case _:
            return part


def _address(url: str) -> str | tuple[str, bytes]:
    """A data: URL as its type and bytes: base64 has several spellings of the same."""
    if not url.startswith("data:"):
        return url
    head, _, data = url.removeprefix("data:").partition(";base64,")
    return head, base64.b64decode(data)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "messages": lambda messages: [_message(message) for message in messages],
    "stop": _stop,
    "stream_options": _stream_options,
    "tool_choice": _tool_choice,
    "tools": lambda tools: [_tool(tool) for tool in tools],
}


def differences(asked: Json, sent: Json) -> dict[str, tuple[str, str]]:
    """The parameters in which two meanings differ: what was asked and what was sent, as JSON."""
    names = sorted(asked.keys() | sent.keys())
    return {
        name: (_text(asked.get(name)), _text(sent.get(name))) for name in names if asked.get(name) != sent.get(name)
    }


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
