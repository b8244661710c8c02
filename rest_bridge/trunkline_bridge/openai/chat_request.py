"""OpenAI's chat.completions.create as a CompleteRequest.

The parameters: https://platform.openai.com/docs/api-reference/chat/create.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trunkline.v1 import CompleteRequest, Verbosity
from trunkline_bridge.json_text import compact
from trunkline_bridge.openai.chat_messages import add_messages
from trunkline_bridge.openai.chat_parts import add_texts, ttl_s
from trunkline_bridge.openai.chat_tools import add_functions, add_tools, set_function_call, set_tool_choice
from trunkline_bridge.openai.chat_words import (
    ANSWER_CACHE_MODES,
    CACHE_MODES,
    DIALECT,
    EFFORTS,
    FORMATS,
    MODALITIES,
    PRIORITIES,
    VERBOSITIES,
)
from trunkline_bridge.openai.fields import (
    INT32,
    INT64,
    Json,
    filled_text,
    flag,
    integer,
    invalid,
    items,
    labels,
    members,
    missing,
    number,
    others,
    required,
    text,
    texts,
    unknown,
    word,
    wrong_type,
)

RESERVED = frozenset(("base_url", "api_key", "headers", "extra_headers"))
"""Names of where and as whom to call a provider: the operator's business alone."""

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAsk:
    """What a chat request asks of the gateway, and of the form of the answer."""

    request: CompleteRequest
    stream: bool
    include_usage: bool
    """Whether a stream ends with a chunk that tells the usage."""
    functions: bool
    """Whether the client speaks the deprecated functions API and reads calls in its form."""


def read_chat_request(body: Json, *, max_messages: int) -> ChatAsk:
    """Reads a parsed body. Raises ParameterError for the first parameter that is not as it may be."""
    filled_text(required(body, "model", ""), "model")
    if body.get("messages") is None:
        raise missing("messages")
    request = CompleteRequest()
    extra: Json = {}
    for name, value in body.items():
        if (read := _READERS.get(name)) is not None:
            if value is not None:
                read(request, value, extra)
        elif name in RESERVED:
            raise unknown(name)
        elif name not in _ELSEWHERE and value is not None:
            extra[name] = value
    add_messages(request, body["messages"], most=max_messages)
    functions = _read_deprecated(request, body)
    if (wishes := body.get("trunkline")) is not None:
        _read_wishes(request, members(wishes, "trunkline"))
    stream = _flag(body, "stream")
    include_usage = _read_stream_options(body.get("stream_options"), extra)
    if extra:
        request.extensions[DIALECT] = compact(extra)
    return ChatAsk(request=request, stream=stream, include_usage=include_usage, functions=functions)


# One reader for each parameter: what it sets in the request, what it keeps for vendors of this dialect.
Reader = Callable[[CompleteRequest, Any, Json], None]


def _text(name: str, field: str = "", *, filled: bool = False) -> Reader:
    read = filled_text if filled else text
    return lambda request, value, extra: setattr(request, field or name, read(value, name))


def _flagged(name: str) -> Reader:
    return lambda request, value, extra: setattr(request, name, flag(value, name))


def _integer(name: str, low: int, high: int, field: str = "") -> Reader:
    return lambda request, value, extra: setattr(request, field or name, integer(value, name, low, high))


def _number(name: str, low: float, high: float) -> Reader:
    return lambda request, value, extra: setattr(request, name, number(value, name, low, high))


def _stop(request: CompleteRequest, value: object, extra: Json) -> None:
    if isinstance(value, str):
        request.stop.append(value)
    elif isinstance(value, list):
        request.stop.extend(texts(value, "stop"))
    else:
        raise wrong_type("stop", "one of a string or an array of strings", value)


def _logit_bias(request: CompleteRequest, value: object, extra: Json) -> None:
    for token, bias in members(value, "logit_bias").items():
        if not (token.isascii() and token.isdigit() and len(token) <= 10 and int(token) <= INT32[1]):
            raise invalid("logit_bias", "its members are named by token numbers.")
        request.logit_bias[int(token)] = number(bias, f"logit_bias.{token}", -100, 100)


def _reasoning_effort(request: CompleteRequest, value: object, extra: Json) -> None:
    effort = filled_text(value, "reasoning_effort")
    if effort in EFFORTS:
        request.reasoning.effort = EFFORTS[effort]
    else:
        request.reasoning.native_effort = effort


def _verbosity(request: CompleteRequest, value: object, extra: Json) -> None:
    wanted = filled_text(value, "verbosity")
    request.verbosity = VERBOSITIES.get(wanted, Verbosity.VERBOSITY_UNSPECIFIED)
    if wanted not in VERBOSITIES:
        extra["verbosity"] = wanted


def _response_format(request: CompleteRequest, value: object, extra: Json) -> None:
    found = members(value, "response_format")
    kind = filled_text(required(found, "type", "response_format"), "response_format.type")
    if kind not in FORMATS:
        extra["response_format"] = found  # a vendor's own, such as a grammar
        return
    wanted = request.response_format
    wanted.kind = FORMATS[kind]
    unknown_members = others(found, {"type", "json_schema"})
    if kind == "json_schema":
        param = "response_format.json_schema"
        schema = members(required(found, "json_schema", "response_format"), param)
        wanted.name = filled_text(required(schema, "name", param), f"{param}.name")
        wanted.schema = compact(members(schema.get("schema") or {}, f"{param}.schema"))
        if (description := schema.get("description")) is not None:
            wanted.description = text(description, f"{param}.description")
        if (strict := schema.get("strict")) is not None:
            wanted.strict = flag(strict, f"{param}.strict")
        if inner := others(schema, {"name", "schema", "description", "strict"}):
            unknown_members["json_schema"] = inner
    if unknown_members:
        extra["response_format"] = unknown_members


def _modalities(request: CompleteRequest, value: object, extra: Json) -> None:
    for index, modality in enumerate(items(value, "modalities")):
        request.output_modalities.append(word(modality, f"modalities[{index}]", MODALITIES))


def _audio(request: CompleteRequest, value: object, extra: Json) -> None:
    found = members(value, "audio")
    request.audio_output.format = filled_text(required(found, "format", "audio"), "audio.format")
    voice = required(found, "voice", "audio")
    if isinstance(voice, dict):
        voice = required(voice, "id", "audio.voice")
    request.audio_output.voice = filled_text(voice, "audio.voice")
    if unknown_members := others(found, {"format", "voice"}):
        extra["audio"] = unknown_members


def _prediction(request: CompleteRequest, value: object, extra: Json) -> None:
    found = members(value, "prediction")
    if required(found, "type", "prediction") != "content":
        raise invalid("prediction.type", "Supported values are: 'content'.")
    add_texts(request.prediction, required(found, "content", "prediction"), "prediction.content")
    if unknown_members := others(found, {"type", "content"}):
        extra["prediction"] = unknown_members


def _prompt_cache_key(request: CompleteRequest, value: object, extra: Json) -> None:
    request.prompt_cache.key = text(value, "prompt_cache_key")


def _prompt_cache_options(request: CompleteRequest, value: object, extra: Json) -> None:
    found = members(value, "prompt_cache_options")
    if (mode := found.get("mode")) is not None:
        request.prompt_cache.mode = word(mode, "prompt_cache_options.mode", CACHE_MODES)
    if (ttl := found.get("ttl")) is not None:
        request.prompt_cache.ttl_s = ttl_s(ttl, "prompt_cache_options.ttl")
    if unknown_members := others(found, {"mode", "ttl"}):
        extra["prompt_cache_options"] = unknown_members


def _metadata(request: CompleteRequest, value: object, extra: Json) -> None:
    request.metadata.update(labels(value, "metadata"))


_READERS: Final[Mapping[str, Reader]] = {
    "model": _text("model", filled=True),
    "temperature": _number("temperature", 0, 2),
    "top_p": _number("top_p", 0, 1),
    "frequency_penalty": _number("frequency_penalty", -2, 2),
    "presence_penalty": _number("presence_penalty", -2, 2),
    "max_completion_tokens": _integer("max_completion_tokens", 1, INT32[1], "max_output_tokens"),
    "n": _integer("n", 1, 128, "choice_count"),
    "seed": _integer("seed", *INT64),
    "logprobs": _flagged("logprobs"),
    "top_logprobs": _integer("top_logprobs", 0, 20),
    "logit_bias": _logit_bias,
    "stop": _stop,
    "tools": lambda request, value, extra: add_tools(request, value),
    "tool_choice": lambda request, value, extra: set_tool_choice(request, value),
    "parallel_tool_calls": _flagged("parallel_tool_calls"),
    "response_format": _response_format,
    "reasoning_effort": _reasoning_effort,
    "verbosity": _verbosity,
    "modalities": _modalities,
    "audio": _audio,
    "prediction": _prediction,
    "prompt_cache_key": _prompt_cache_key,
    "prompt_cache_options": _prompt_cache_options,
    "service_tier": _text("service_tier"),
    "safety_identifier": _text("safety_identifier", "end_user"),
    "metadata": _metadata,
    "store": _flagged("store"),
}
# Read after the others, because what they mean depends on them or stands outside the model's parameters.
_ELSEWHERE: Final = frozenset(
    ("messages", "stream", "stream_options", "trunkline", "max_tokens", "user", "functions", "function_call")
)


def _read_deprecated(request: CompleteRequest, body: Json) -> bool:
    """Parameters that were replaced; where both are given the new one counts. True: functions are among them."""
    if (most := body.get("max_tokens")) is not None:
        tokens = integer(most, "max_tokens", 1, INT32[1])
        if not request.HasField("max_output_tokens"):
            request.max_output_tokens = tokens
    if (user := body.get("user")) is not None:
        request.end_user = request.end_user or text(user, "user")
    if (functions := body.get("functions")) is not None:
        add_functions(request, functions)
    if (call := body.get("function_call")) is not None and not request.HasField("tool_choice"):
        set_function_call(request, call)
    return functions is not None


def _read_stream_options(value: object, extra: Json) -> bool:
    if value is None:
        return False
    found = members(value, "stream_options")
    # OpenAI pads its chunks against those who guess content from their lengths; this gateway never does.
    _flag(found, "include_obfuscation", "stream_options.")
    if unknown_members := others(found, {"include_usage", "include_obfuscation"}):
        extra["stream_options"] = unknown_members
    return _flag(found, "include_usage", "stream_options.")


def _read_wishes(request: CompleteRequest, found: Json) -> None:
    """The `trunkline` object: wishes about routing, by the names of the Routing message."""
    for name, value in found.items():
        if (read := _WISHES.get(name)) is None:
            raise unknown(f"trunkline.{name[:64]}")
        if value is not None:
            read(request, value, f"trunkline.{name}")


def _cache(request: CompleteRequest, value: object, param: str) -> None:
    found = members(value, param)
    for name in found.keys() - {"mode", "ttl_s"}:
        raise unknown(f"{param}.{name[:64]}")
    cache = request.routing.cache
    cache.SetInParent()
    if (mode := found.get("mode")) is not None:
        cache.mode = word(mode, f"{param}.mode", ANSWER_CACHE_MODES)
    if (ttl := found.get("ttl_s")) is not None:
        cache.ttl_s = integer(ttl, f"{param}.ttl_s", 0, INT32[1])


Wish = Callable[[CompleteRequest, Any, str], None]


def _wish(name: str, read: Callable[[Any, str], object]) -> Wish:
    return lambda request, value, param: setattr(request.routing, name, read(value, param))


_WISHES: Final[Mapping[str, Wish]] = {
    "strategy": _wish("strategy", text),
    "targets": lambda request, value, param: request.routing.targets.extend(texts(value, param)),
    "no_fallback": _wish("no_fallback", flag),
    "max_attempts": _wish("max_attempts", lambda value, param: integer(value, param, 1, 100)),
    "timeout_ms": _wish("timeout_ms", lambda value, param: integer(value, param, 1, DAY_MS)),
    "first_token_timeout_ms": _wish("first_token_timeout_ms", lambda value, param: integer(value, param, 1, DAY_MS)),
    "strict": _wish("strict", flag),
    "priority": _wish("priority", lambda value, param: word(value, param, PRIORITIES)),
    "cache": _cache,
    "affinity_key": _wish("affinity_key", text),
    "tags": lambda request, value, param: request.routing.tags.update(labels(value, param)),
}


def _flag(found: Json, name: str, prefix: str = "") -> bool:
    value = found.get(name)
    return value is not None and flag(value, prefix + name)
