"""A strict reader of requests to chat completions: says which of the documented rules one breaks.

The rules stand in https://platform.openai.com/docs/api-reference/chat/create and /docs/guides/reasoning, in
https://api-docs.deepseek.com/guides/thinking_mode and https://openrouter.ai/docs/guides/best-practices/reasoning-tokens.
It shares no code with the dialect.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

TOP = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "messages",
        "model",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
    }
)
SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias")
MEMBERS: Mapping[str, frozenset[str]] = {
    "developer": frozenset({"role", "content", "name"}),
    "system": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset({"role", "content", "name", "tool_calls"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Vendor:
    """What one vendor takes beyond what all take, and what it insists on."""

    top: frozenset[str]
    """Members of the body."""
    assistant: frozenset[str] = frozenset()
    """Members of an assistant message."""
    part: frozenset[str] = frozenset()
    """Members of a text part."""
    developer: bool = False
    """Whether it knows that role."""
    reasons_without_sampling: bool = False
    """Whether its models refuse sampling parameters while they reason."""
    reasoning_with_calls: bool = False
    """Whether an assistant message with calls needs its reasoning_content while the model thinks."""


OPENAI = Vendor(
    top=frozenset(
        {
            "max_completion_tokens",
            "metadata",
            "prompt_cache_key",
            "prompt_cache_options",
            "safety_identifier",
            "service_tier",
            "store",
            "verbosity",
        }
    ),
    assistant=frozenset({"refusal", "audio"}),
    part=frozenset({"prompt_cache_breakpoint"}),
    developer=True,
    reasons_without_sampling=True,
)
DEEPSEEK = Vendor(
    top=frozenset({"max_tokens", "thinking"}),
    assistant=frozenset({"reasoning_content"}),
    reasoning_with_calls=True,
)
OPENROUTER = Vendor(
    top=frozenset({"max_completion_tokens", "max_tokens", "reasoning", "usage", "user"}),
    assistant=frozenset({"reasoning", "reasoning_details"}),
    part=frozenset({"cache_control", "prompt_cache_breakpoint"}),
    developer=True,
)


def complaints(body: Json, vendor: Vendor) -> list[str]:
    """The rules that a request body breaks; none if the vendor would take it."""
    messages: Sequence[Json] = body.get("messages") or []
    return [
        *(f"Unrecognized request argument supplied: {name}" for name in sorted(body.keys() - TOP - vendor.top)),
        *([] if messages else ["messages: Field required"]),
        *(found for at, message in enumerate(messages) for found in _message(message, f"messages[{at}]", vendor)),
        *_pairs(messages),
        *_tools(body),
        *_thinking(body, messages, vendor),
    ]


def _message(message: Json, where: str, vendor: Vendor) -> Iterator[str]:
    role = message.get("role", "")
    if role not in MEMBERS or (role == "developer" and not vendor.developer):
        yield f"{where}.role: {role!r} is no role"
        return
    known = MEMBERS[role] | (vendor.assistant if role == "assistant" else frozenset())
    for name in sorted(message.keys() - known):
        yield f"{where}.{name}: unknown member"
    content = message.get("content")
    if isinstance(content, list):
        if not content:
            yield f"{where}.content: the list is empty"
        for number, part in enumerate(content):
            if part.get("type") != "text" or not isinstance(part.get("text"), str):
                yield f"{where}.content[{number}]: is no text"
            for name in sorted(part.keys() - {"type", "text"} - vendor.part):
                yield f"{where}.content[{number}].{name}: unknown member"
    elif content is None:
        if role != "assistant" or not message.get("tool_calls"):
            yield f"{where}.content: expected a string, got null"
    elif not isinstance(content, str):
        yield f"{where}.content: expected a string or a list"
    if role == "assistant" and "tool_calls" in message:
        yield from _calls(message["tool_calls"], where)


def _calls(calls: Sequence[Json], where: str) -> Iterator[str]:
    if not calls:
        yield f"{where}.tool_calls: the list is empty"
    for number, call in enumerate(calls):
        function = call.get("function") or {}
        if call.keys() != {"id", "type", "function"} or call["type"] != "function" or not call["id"]:
            yield f"{where}.tool_calls[{number}]: needs id, type and function, and no more"
        if function.keys() != {"name", "arguments"} or not NAME.fullmatch(function.get("name", "")):
            yield f"{where}.tool_calls[{number}].function: needs a valid name and arguments, and no more"
        if not isinstance(function.get("arguments"), str):
            yield f"{where}.tool_calls[{number}].function.arguments: expected a string"


def _pairs(messages: Sequence[Json]) -> Iterator[str]:
    """Each call is answered by one tool message right after it, and each of those answers a call."""
    waiting: list[str] = []
    for at, message in enumerate([*messages, {}]):
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in waiting:
                yield f"messages[{at}]: 'tool' must be a response to a preceding message with 'tool_calls'"
            else:
                waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            yield f"messages[{at}]: tool_call_ids did not have response messages: {waiting}"
        waiting = [call.get("id", "") for call in message.get("tool_calls") or ()]
        if len(set(waiting)) != len(waiting):
            yield f"messages[{at}]: two calls have one id"


def _tools(body: Json) -> Iterator[str]:
    for at, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function") or {}
        if tool.keys() != {"type", "function"} or not NAME.fullmatch(function.get("name", "")):
            yield f"tools[{at}]: needs a type and a function with a valid name, and no more"
        for name in sorted(function.keys() - {"name", "description", "parameters", "strict"}):
            yield f"tools[{at}].function.{name}: unknown member"
    if not body.get("tools") and not body.keys().isdisjoint(("tool_choice", "parallel_tool_calls")):
        yield "tool_choice and parallel_tool_calls are only allowed when tools are specified"


def _thinking(body: Json, messages: Sequence[Json], vendor: Vendor) -> Iterator[str]:
    if vendor.reasons_without_sampling and body.get("reasoning_effort") != "none":
        for name in SAMPLING:
            if name in body:
                yield f"Unsupported parameter: {name!r} is not supported with this model."
    if vendor.reasoning_with_calls and (body.get("thinking") or {}).get("type") != "disabled":
        for at, message in enumerate(messages):
            if message.get("tool_calls") and not message.get("reasoning_content"):
                yield f"messages[{at}]: Missing `reasoning_content` field in the assistant message"
