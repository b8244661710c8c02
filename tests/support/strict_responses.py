"""A strict reader of requests to OpenAI's Responses API: says which of the documented rules one breaks.

The rules stand in https://platform.openai.com/docs/api-reference/responses/create, /docs/guides/reasoning and
/docs/guides/function-calling, and in what the API is known to answer. It shares no code with the dialect.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

TOP = frozenset(
    {
        "context_management",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
    }
)
PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "web_search_call": "ws",
    "image_generation_call": "ig",
    "code_interpreter_call": "ci",
}
OUTPUTS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
INPUTS = frozenset({"input_text", "input_image", "input_file"})
ANSWERS = frozenset({"output_text", "refusal"})
NOT_BY_MODEL = frozenset({"user", "system", "developer"})
DETAILS = frozenset({"auto", "low", "high", "original"})
EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
INCLUDES = frozenset(
    {
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
        "web_search_call.action.sources",
        "web_search_call.results",
    }
)
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_BREAKPOINTS, MOST_LABELS, MOST_LOGPROBS = 4, 16, 20


def complaints(body: Json, model: str, *, pairs: Mapping[str, str] | None = None) -> list[str]:
    """The rules that a request body for this model breaks; none if OpenAI would take it.

    `pairs` are the ids of items that the API has given out, with the id of the reasoning that each came with.
    """
    items = body.get("input")
    return [
        *(f"the body has no member {name}" for name in sorted(body.keys() - TOP)),
        *(
            ["input is no list of items"]
            if not isinstance(items, list) or not items
            else _items(items, body, pairs or {})
        ),
        *_tools(body),
        *_settings(body),
        *_reasoning_model(body, model),
    ]


def reasons(model: str, effort: str | None) -> bool | None:
    """Whether a model of OpenAI reasons with this effort; None: it cannot."""
    found = re.match(r"gpt-(\d+)(?:\.(\d+))?", model)
    if found is None:
        return True if re.match(r"o\d", model) else None
    version = (int(found[1]), int(found[2] or 0))
    if version < (5, 0):
        return None
    if version == (5, 0):
        return True
    return effort not in (None, "none") if version < (5, 5) else effort != "none"


def _items(items: Sequence[Json], body: Json, pairs: Mapping[str, str]) -> Iterator[str]:
    for at, item in enumerate(items):
        where = f"input[{at}]"
        kind = item.get("type", "message")
        if kind == "message":
            yield from _message(item, where)
        elif kind == "reasoning":
            yield from _reasoning(item, items[at + 1 : at + 2], where, stored=body.get("store", True))
        elif kind in OUTPUTS:
            member = "input" if kind == "custom_tool_call" else "arguments"
            for name in ("call_id", "name"):
                if not item.get(name):
                    yield f"{where} has no {name}"
            if not isinstance(item.get(member), str):
                yield f"{where}.{member} is not text"
        elif kind in OUTPUTS.values():
            yield from _output(item, where)
        prefix = PREFIXES.get(kind)
        if prefix and item.get("id") and not item["id"].startswith(prefix):
            yield f"{where}.id does not begin with {prefix!r}"
    yield from _ids(items, pairs)
    yield from _pairs(items)
    if _breakpoints(items) > MOST_BREAKPOINTS:
        yield f"there are more than {MOST_BREAKPOINTS} cache breakpoints"


def _message(item: Json, where: str) -> Iterator[str]:
    role, content = item.get("role"), item.get("content")
    if role not in NOT_BY_MODEL and role != "assistant":
        yield f"{where} has no valid role"
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not content:
        yield f"{where} has no content"
        return
    known = ANSWERS if role == "assistant" else INPUTS
    for number, part in enumerate(content):
        yield from _part(part, known, f"{where}.content[{number}]")


def _part(part: Json, known: Collection[str], where: str) -> Iterator[str]:
    kind = part.get("type")
    if kind not in known:
        yield f"{where} is of type {kind}, and not one of {sorted(known)}"
    match kind:
        case "input_text" | "output_text" if not isinstance(part.get("text"), str):
            yield f"{where} has no text"
        case "input_image":
            if bool(part.get("image_url")) == bool(part.get("file_id")):
                yield f"{where} needs one of image_url and file_id"
            if part.get("detail") not in DETAILS:
                yield f"{where} has no valid detail"
        case "input_file":
            if sum(bool(part.get(name)) for name in ("file_data", "file_id", "file_url")) != 1:
                yield f"{where} needs one of file_data, file_id and file_url"
            if part.get("file_data") and not part.get("filename"):
                yield f"{where} needs a filename"
        case _:
            pass


def _reasoning(item: Json, after: Sequence[Json], where: str, *, stored: bool) -> Iterator[str]:
    if not isinstance(item.get("summary"), list) or not item.get("id"):
        yield f"{where} needs an id and a summary"
    if not stored and not item.get("encrypted_content"):
        yield f"{where}: Item with id {item.get('id')!r} not found. Items are not persisted when `store` is set to false"
    if not after or after[0].get("role") in NOT_BY_MODEL or after[0].get("type") in OUTPUTS.values():
        yield f"{where} of type 'reasoning' was provided without its required following item"


def _output(item: Json, where: str) -> Iterator[str]:
    output = item.get("output")
    if isinstance(output, str):
        return
    if not isinstance(output, list):
        yield f"{where}.output is neither text nor a list"
        return
    for number, part in enumerate(output):
        yield from _part(part, INPUTS, f"{where}.output[{number}]")


def _ids(items: Sequence[Json], pairs: Mapping[str, str]) -> Iterator[str]:
    counts = Counter(item["id"] for item in items if item.get("id"))
    for item_id, count in counts.items():
        if count > 1:
            yield f"Duplicate item found with id {item_id}"
        if (needed := pairs.get(item_id)) and needed not in counts:
            yield f"Item {item_id!r} was provided without its required 'reasoning' item: {needed!r}"


def _pairs(items: Sequence[Json]) -> Iterator[str]:
    waiting: dict[str, str] = {}
    seen: set[str] = set()
    for at, item in enumerate(items):
        kind, call_id = item.get("type", ""), item.get("call_id", "")
        if kind in OUTPUTS:
            if call_id in seen:
                yield f"input[{at}]: the call {call_id} is there twice"
            seen.add(call_id)
            waiting[call_id] = OUTPUTS[kind]
        elif kind in OUTPUTS.values() and waiting.pop(call_id, None) != kind:
            yield f"input[{at}]: No tool call found for {kind} with call_id {call_id}"
    for call_id in waiting:
        yield f"No tool output found for function call {call_id}"


def _breakpoints(value: object) -> int:
    match value:
        case dict():
            return ("prompt_cache_breakpoint" in value) + sum(map(_breakpoints, value.values()))
        case list():
            return sum(map(_breakpoints, value))
        case _:
            return 0


def _tools(body: Json) -> Iterator[str]:
    names: list[str] = []
    for at, tool in enumerate(body.get("tools") or ()):
        members = tool.get("tools", ()) if tool.get("type") == "namespace" else (tool,)
        for inner in members:
            yield from _tool(inner, f"tools[{at}]")
            names += [inner["name"]] if inner.get("name") else []
    for name, count in Counter(names).items():
        if count > 1:
            yield f"two tools are called {name}"
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not body.get("tools"):
        yield "tool_choice is only allowed when tools are specified"
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            yield "tool_choice is no such word"
        return
    wanted = choice["tools"] if choice["type"] == "allowed_tools" else [choice]
    for tool in wanted:
        if tool["type"] in ("function", "custom") and tool.get("name") not in names:
            yield f"tool_choice names {tool.get('name')}, which is not among the tools"


def _tool(tool: Json, where: str) -> Iterator[str]:
    if tool.get("type") not in ("function", "custom"):
        return
    if not NAME.fullmatch(tool.get("name") or ""):
        yield f"{where} has no valid name"
    if tool["type"] == "function":
        parameters = tool.get("parameters")
        if not isinstance(parameters, dict) or "strict" not in tool:
            yield f"{where} needs parameters and strict"
        if "function" in tool:
            yield f"{where} has the form of chat completions"
    elif (form := tool.get("format")) is not None and (form["type"] != "grammar" or not form.get("definition")):
        yield f"{where} has no valid format"


def _settings(body: Json) -> Iterator[str]:
    for include in body.get("include") or ():
        if include not in INCLUDES:
            yield f"include has no value {include}"
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema" and not (NAME.fullmatch(form.get("name") or "") and "schema" in form):
        yield "text.format needs a name and a schema"
    if (effort := (body.get("reasoning") or {}).get("effort")) is not None and effort not in EFFORTS:
        yield f"reasoning.effort has no value {effort}"
    if len(body.get("metadata") or ()) > MOST_LABELS:
        yield f"there are more than {MOST_LABELS} labels"
    if body.get("top_logprobs", 0) > MOST_LOGPROBS:
        yield f"top_logprobs is more than {MOST_LOGPROBS}"


def _reasoning_model(body: Json, model: str) -> Iterator[str]:
    thinks = reasons(model, (body.get("reasoning") or {}).get("effort"))
    include = body.get("include") or ()
    if thinks is None:
        if body.get("reasoning"):
            yield f"Unsupported parameter: 'reasoning' is not supported with {model}"
        if "reasoning.encrypted_content" in include:
            yield "Encrypted content is not supported with this model"
    elif thinks:
        for name in ("temperature", "top_p", "top_logprobs"):
            if name in body:
                yield f"Unsupported parameter: {name!r} is not supported with this model"
        if "message.output_text.logprobs" in include:
            yield "logprobs are not supported with reasoning models"
