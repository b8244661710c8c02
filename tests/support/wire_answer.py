"""What an answer of the chat completions wire says, read without a line of the gateway's code.

Made for comparing: two answers that say the same are equal, whoever spelled them and whether they were streamed.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# Words for an end, as OpenAI's five. A vendor's word that is not here must come out as it is.
FINISHES: Mapping[str, str] = {"": "stop", "eos": "stop", "function_call": "tool_calls"}

# Members of a delta, and of what stands in it, that come in pieces; of other words the last one counts.
APPENDED = frozenset(
    {"content", "refusal", "reasoning", "reasoning_content", "thinking", "arguments", "data", "transcript"}
)

# What is read, or is the gateway's own to say, or means nothing (padding, a stream's name for itself).
BODY_MEMBERS = frozenset({"choices", "created", "id", "model", "obfuscation", "object", "usage"})
CHOICE_MEMBERS = frozenset({"finish_reason", "index", "logprobs", "message"})
MESSAGE_MEMBERS = frozenset(
    {
        "annotations",
        "audio",
        "content",
        "function_call",
        "reasoning",
        "reasoning_content",
        "refusal",
        "role",
        "thinking",
        "tool_calls",
    }
)

# Where the counts stand: OpenAI's place first, then those of vendors that have their own.
USAGE_PLACES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "prompt": (("prompt_tokens",),),
    "completion": (("completion_tokens",),),
    "cache_read": (
        ("prompt_tokens_details", "cached_tokens"),
        ("prompt_cache_hit_tokens",),
        ("cached_tokens",),
        ("num_cached_tokens",),
    ),
    "cache_write": (("prompt_tokens_details", "cache_write_tokens"),),
    "reasoning": (("completion_tokens_details", "reasoning_tokens"),),
    "audio_in": (("prompt_tokens_details", "audio_tokens"),),
    "audio_out": (("completion_tokens_details", "audio_tokens"),),
    "predicted": (("completion_tokens_details", "accepted_prediction_tokens"),),
    "mispredicted": (("completion_tokens_details", "rejected_prediction_tokens"),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidCall:
    """A tool call."""

    id: str
    """Empty: it was told by the deprecated functions API, which has none."""
    kind: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidChoice:
    """One choice."""

    text: str
    reasoning: str
    refusal: str
    calls: tuple[SaidCall, ...]
    finish: str
    """In OpenAI's words, but for calls of the deprecated functions API: those end as any calls do."""
    sources: tuple[str, ...]
    """Addresses that its annotations name."""
    tokens: tuple[tuple[str, float], ...]
    """Its text's tokens and their log probabilities."""
    sound: str
    """Base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A whole answer."""

    model: str
    choices: tuple[SaidChoice, ...]
    usage: Mapping[str, int] | None
    """Counts by the names of USAGE_PLACES, those that are told."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event."""

    event: str
    data: str


def read_frames(stream: bytes) -> Iterator[Frame]:
    """Server-sent events, line by line; https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    event, data = "", list[str]()
    for line in [*stream.decode().replace("\r\n", "\n").split("\n"), ""]:
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif name == "event":
            event = value.removeprefix(" ")
        elif not line and data:
            yield Frame(event, "\n".join(data))
            event, data = "", []


def read_chunks(stream: bytes) -> list[Json]:
    """The objects of a stream, without its [DONE]."""
    return [json.loads(frame.data) for frame in read_frames(stream) if frame.data != "[DONE]"]


def error_in(body: bytes, *, stream: bool) -> Json | None:
    """The failure that an answer tells of in place of its end, if it does."""
    for holder in read_chunks(body) if stream else [json.loads(body)]:
        if holder.get("error"):
            error: Json = holder["error"]
            return error
    return None


def whole_of(chunks: Sequence[Json]) -> Json:
    """The body that a stream amounts to."""
    body: Json = {}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        for name, value in chunk.items():
            if name == "choices":
                for piece in value:
                    _add_choice(choices.setdefault(piece.get("index") or 0, {"message": {}}), piece)
            elif value not in (None, "", 0) or name not in body:  # what Azure's first chunk leaves open
                body[name] = value
    body["choices"] = [{"index": index, **choices[index]} for index in sorted(choices)]
    return body


def read_answer(body: Json, *, reasoning_in: Sequence[str] = ()) -> Said:
    """What a body says. Of the places where vendors put their reasoning all are read, unless told otherwise."""
    places = reasoning_in or tuple(REASONING)
    return Said(
        model=body["model"],
        choices=tuple(_choice(choice, places) for choice in body["choices"]),
        usage=_usage(body.get("usage") or (body.get("x_groq") or {}).get("usage")),
    )


def own_members(body: Json) -> Json:
    """What a body holds beside what `read_answer` reads: members that only its vendor has, where they stand."""
    choices = [
        _others(choice, CHOICE_MEMBERS) | {"message": _others(choice["message"], MESSAGE_MEMBERS)}
        for choice in body["choices"]
    ]
    return _others(body, BODY_MEMBERS) | {"choices": choices}


def lost(wanted: object, found: object, path: str = "") -> list[str]:
    """Where `found` has not what `wanted` has; it may have more, and null and empty values say nothing."""
    if wanted in (None, "", [], {}):
        return []
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [at for name, value in wanted.items() for at in lost(value, found.get(name), f"{path}.{name}")]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [at for index, value in enumerate(wanted) for at in lost(value, found[index], f"{path}[{index}]")]
    return [] if wanted == found else [path]


def openai_finish(native: str | None, *, calls: bool) -> str:
    """Why an answer ended, in OpenAI's words; what it holds decides between a stop and calls."""
    word = FINISHES.get((native or "").lower(), (native or "").lower())
    return "tool_calls" if calls and word == "stop" else word


def _others(holder: Json, known: Collection[str]) -> Json:
    return {name: value for name, value in holder.items() if name not in known}


def _add_choice(choice: Json, piece: Json) -> None:
    for name, value in piece.items():
        match name:
            case "delta":
                _add_delta(choice["message"], value or {})
            case "logprobs" if value:
                choice["logprobs"] = held = choice.get("logprobs") or {}
                for kind, tokens in value.items():
                    held[kind] = [*(held.get(kind) or []), *(tokens or [])]
            case _ if value is not None:
                choice[name] = value
            case _:
                choice.setdefault(name, None)


def _add_delta(message: Json, delta: Json) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for entry in value or []:
                _add_call(message.setdefault(name, []), entry)
        elif name == "reasoning_details":
            for entry in value or []:
                _add_detail(message.setdefault(name, []), entry)
        elif name in APPENDED and isinstance(value, str) and isinstance(message.get(name), str):
            message[name] += value
        elif isinstance(value, list) and isinstance(message.get(name), list):
            message[name] = message[name] + value
        elif isinstance(value, dict) and isinstance(message.get(name), dict):
            _add_delta(message[name], value)
        elif value is not None or name not in message:
            message[name] = dict(value) if isinstance(value, dict) else value


def _add_call(calls: list[Json], entry: Json) -> None:
    call = next((call for call in calls if call["index"] == entry["index"]), None)
    if call is None:
        calls.append(json.loads(json.dumps(entry)))
        return
    for holder, words in (("function", "arguments"), ("custom", "input")):
        if (piece := (entry.get(holder) or {}).get(words)) is not None:
            call[holder][words] = (call[holder].get(words) or "") + piece


def _add_detail(details: list[Json], entry: Json) -> None:
    """OpenRouter's reasoning: the words of an entry come in pieces, told by its type and index, and so may the rest."""
    if not details or any(details[-1].get(name) != entry.get(name) for name in ("type", "index")):
        details.append(dict(entry))
        return
    for name, value in entry.items():
        if name in ("text", "summary"):
            details[-1][name] = (details[-1].get(name) or "") + (value or "")
        elif value is not None:
            details[-1][name] = value


def _choice(choice: Json, reasoning_in: Sequence[str]) -> SaidChoice:
    message = choice["message"]
    content = message.get("content") or ""
    calls = tuple(_calls(message))
    told = (REASONING[name](message[name]) for name in reasoning_in if message.get(name))
    return SaidChoice(
        text=content if isinstance(content, str) else "".join(part.get("text", "") for part in content),
        reasoning=next(filter(None, told), ""),
        refusal=message.get("refusal") or "",
        calls=calls,
        finish=openai_finish(choice.get("finish_reason"), calls=bool(calls)),
        sources=tuple(_sources(message.get("annotations") or ())),
        tokens=tuple(
            (token["token"], token["logprob"]) for token in (choice.get("logprobs") or {}).get("content") or ()
        ),
        sound=(message.get("audio") or {}).get("data") or "",
    )


def _calls(message: Json) -> Iterator[SaidCall]:
    if name := (message.get("function_call") or {}).get("name"):  # Snowflake sends an empty one with every answer
        yield SaidCall(id="", kind="function", name=name, arguments=message["function_call"]["arguments"])
    for call in message.get("tool_calls") or ():
        kind = call.get("type") or "function"
        holder = call[kind]
        yield SaidCall(
            id=call["id"],
            kind=kind,
            name=holder["name"],
            arguments=holder["input" if kind == "custom" else "arguments"] or "{}",
        )


def _sources(annotations: Iterable[Json]) -> Iterator[str]:
    for annotation in annotations:
        if annotation["type"] == "url_citation":
            yield annotation["url_citation"]["url"]


def _usage(usage: Json | None) -> Mapping[str, int] | None:
    if not usage:
        return None
    counts = {name: _count(usage, places) for name, places in USAGE_PLACES.items()}
    return {name: count for name, count in counts.items() if count is not None}


def _count(usage: Json, places: Iterable[tuple[str, ...]]) -> int | None:
    for place in places:
        value: Any = usage
        for step in place:
            value = (value or {}).get(step)
        if value is not None:
            return int(value)
    return None


def _of_details(details: Iterable[Json]) -> str:
    """OpenRouter's list, of which some entries are for the provider alone."""
    return "".join(detail.get("text") or detail.get("summary") or "" for detail in details)


def _of_content(content: str | Iterable[Json]) -> str:
    """Mistral's, among the parts of its content."""
    parts = [] if isinstance(content, str) else [part for part in content if part["type"] == "thinking"]
    return "".join(piece["text"] for part in parts for piece in part["thinking"])


REASONING: Mapping[str, Callable[[Any], str]] = {
    "reasoning_content": str,
    "reasoning": str,
    "thinking": str,
    "reasoning_details": _of_details,
    "content": _of_content,
}
"""The members of a message that hold its reasoning, in the order in which they are believed."""
