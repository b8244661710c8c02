"""What the built-in model `echo` answers: the same to the same request, with faults on demand."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from trunkline_server.transport.echo_schema import smallest_value

Json = dict[str, Any]

_WORDS: Final = re.compile(r"\s*\S+(?:\s+\Z)?")
_ARGUMENT_PIECE_CHARS: Final = 8
_MAX_CHOICES: Final = 128
_MAX_DELAY_MS: Final = 600_000
_MAX_COUNT: Final = 2**31 - 1


class RefusedError(Exception):
    """The request is answered with an error, as OpenAI would put it."""

    def __init__(self, status: int, message: str, *, kind: str = "invalid_request_error", **more: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.error: Json = {"message": message, "type": kind, "param": None, "code": None, **more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The member `echo` of a request's body: how the answer is to be given, for demonstrations and tests."""

    delay_ms: float = 0
    """Pause between words."""
    first_delay_ms: float = 0
    """Pause before the first word, or before the error."""
    error: int = 0
    """HTTP status of an error to answer with; 0: none."""
    error_after: int | None = None
    """After how many words the answer ends with an error told in band."""
    cut_after: int | None = None
    """After how many words the connection breaks."""
    text: str | None = None
    """What to say instead of the user's words."""
    reasoning: str = ""
    """What to think first."""


# What each control may be, and the least and most of numbers.
_CONTROLS: Final[dict[str, tuple[type, float, float]]] = {
    "delay_ms": (float, 0, _MAX_DELAY_MS),
    "first_delay_ms": (float, 0, _MAX_DELAY_MS),
    "error": (int, 400, 599),
    "error_after": (int, 0, _MAX_COUNT),
    "cut_after": (int, 0, _MAX_COUNT),
    "text": (str, 0, 0),
    "reasoning": (str, 0, 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoCall:
    """A tool call, its arguments in pieces."""

    call_id: str
    kind: str
    """ "function" or "custom"."""
    name: str
    pieces: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer before it is put on the wire. Every piece counts as one token."""

    response_id: str
    model: str
    controls: Controls
    choice_count: int
    stream: bool
    include_usage: bool
    logprobs: bool
    prompt_tokens: int
    reasoning: list[str]
    text: list[str]
    calls: list[EchoCall] = field(default_factory=list)
    finish_reason: str = "stop"

    @property
    def completion_tokens(self) -> int:
        """Pieces of one choice."""
        return len(self.reasoning) + len(self.text) + sum(len(call.pieces) for call in self.calls)

    def breaks_after(self) -> int | None:
        """After how many pieces the answer breaks off; None: it does not."""
        asked = [after for after in (self.controls.error_after, self.controls.cut_after) if after is not None]
        return min(*asked, self.completion_tokens) if asked else None

    def is_cut(self) -> bool:
        """Whether the connection breaks, before any error in band."""
        cut, error = self.controls.cut_after, self.controls.error_after
        return cut is not None and (error is None or cut <= error)

    def usage(self) -> Json:
        """The usage of all choices."""
        completion = self.completion_tokens * self.choice_count
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": len(self.reasoning) * self.choice_count},
        }


def plan_reply(raw: bytes) -> Reply:
    """The answer to a request's body. Raises RefusedError where OpenAI would refuse it or an error is asked for."""
    body = _read(raw)
    controls = _read_controls(body.get("echo"))
    digest = hashlib.blake2b(raw, digest_size=12).hexdigest()
    messages = body["messages"]
    options = body.get("stream_options")
    results = _trailing_results(messages)
    asked = _last_text(messages, "user") or _text_of(messages[-1])
    said = controls.text if controls.text is not None else "\n".join(results) if results else asked
    calls = [] if results else _calls(body, asked, digest)
    if calls and controls.text is None:
        said = ""
    text, met = _until_stop(said, body.get("stop"))
    budget = _limit(body)
    reasoning = _words(controls.reasoning)
    kept_reasoning, budget = _spend(reasoning, budget)
    kept_text, budget = _spend(_words(text), budget)
    kept_calls = []
    for call in calls:
        pieces, budget = _spend(call.pieces, budget)
        kept_calls.append(EchoCall(call_id=call.call_id, kind=call.kind, name=call.name, pieces=pieces))
    return Reply(
        response_id=f"chatcmpl-echo-{digest}",
        model=str(body.get("model", "")),
        controls=controls,
        choice_count=_integer(body, "n", 1, _MAX_CHOICES) or 1,
        stream=bool(body.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        logprobs=bool(body.get("logprobs")),
        prompt_tokens=sum(len(_text_of(message).split()) for message in messages),
        reasoning=kept_reasoning,
        text=kept_text,
        calls=kept_calls,
        finish_reason="length" if budget < 0 else "tool_calls" if calls and not met else "stop",
    )


def _read(raw: bytes) -> Json:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise RefusedError(400, "We could not parse the JSON body of your request.")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise RefusedError(400, "messages is not a list of at least one message", param="messages")
    return body


def _read_controls(raw: object) -> Controls:
    if raw is None:
        return Controls()
    if not isinstance(raw, dict):
        raise RefusedError(400, "echo is not an object", param="echo")
    for name, value in raw.items():
        if name not in _CONTROLS:
            raise RefusedError(
                400, f"echo has no control {name!r}; it has {', '.join(_CONTROLS)}", param=f"echo.{name}"
            )
        kind, low, high = _CONTROLS[name]
        if kind is str:
            fits = isinstance(value, str)
        else:
            numbers = (int, float) if kind is float else (int,)
            fits = type(value) in numbers and low <= value <= high
        if not fits:
            wanted = "text" if kind is str else f"a number from {low:g} to {high:g}"
            raise RefusedError(400, f"echo.{name} is not {wanted}", param=f"echo.{name}")
    return Controls(**raw)


def _limit(body: Json) -> float:
    """Most tokens of the answer; endless if the request sets no limit."""
    limits = [_integer(body, name, 1, _MAX_COUNT) for name in ("max_completion_tokens", "max_tokens")]
    return min((limit for limit in limits if limit is not None), default=float("inf"))


def _integer(body: Json, name: str, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise RefusedError(400, f"{name} is not an integer from {low} to {high}", param=name, code="invalid_value")
    return value


def _spend(pieces: list[str], budget: float) -> tuple[list[str], float]:
    """The pieces that the budget allows, and what is left of it: less than nothing once a piece is missing."""
    if budget < 0:
        return [], budget if not pieces else -1
    if len(pieces) <= budget:
        return pieces, budget - len(pieces)
    return pieces[: int(budget)], -1


def _words(text: str) -> list[str]:
    """Words, each with the space before it, so that joined they are the text again."""
    return _WORDS.findall(text) or ([text] if text else [])


def _until_stop(text: str, stop: object) -> tuple[str, bool]:
    stops = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    places = [at for one in stops if isinstance(one, str) and one and (at := text.find(one)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


def _text_of(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _last_text(messages: Sequence[Json], role: str) -> str:
    return next((_text_of(message) for message in reversed(messages) if message.get("role") == role), "")


def _trailing_results(messages: Sequence[Json]) -> list[str]:
    found: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        found.insert(0, _text_of(message))
    return found


def _calls(body: Json, asked: str, digest: str) -> list[EchoCall]:
    tools = _tools(body)
    names = _chosen(body.get("tool_choice"), tools, asked)
    if body.get("parallel_tool_calls") is False:
        names = names[:1]
    return [_call(tools[name], asked, f"call_echo{at}{digest[:20]}") for at, name in enumerate(names)]


def _tools(body: Json) -> dict[str, Json]:
    """Tools by name, in the order of the request."""
    found = {}
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        name = _name_of(tool)
        if name:
            found[name] = tool
    return found


def _name_of(tool: object) -> str:
    """The name in a tool or in a reference to one."""
    if not isinstance(tool, dict):
        return ""
    holder = tool.get(str(tool.get("type")))
    name = holder.get("name") if isinstance(holder, dict) else None
    return name if isinstance(name, str) else ""


def _chosen(choice: object, tools: dict[str, Json], asked: str) -> list[str]:
    """The names of the tools to call: the first allowed one if there must be one, else those that the user names."""
    allowed, mode = list(tools), choice
    if isinstance(choice, dict):
        listed = choice.get("allowed_tools")
        if isinstance(listed, dict):
            allowed = [name for tool in listed.get("tools") or [] if (name := _name_of(tool)) in tools]
            mode = listed.get("mode")
        else:
            allowed = [name for name in [_name_of(choice)] if name in tools]
            mode = "required"
    if mode == "none":
        return []
    if mode == "required":
        return allowed[:1]
    return sorted((name for name in allowed if name in asked), key=asked.index)


def _call(tool: Json, asked: str, call_id: str) -> EchoCall:
    kind = "custom" if tool.get("type") == "custom" else "function"
    if kind == "custom":
        arguments = asked
    else:
        value = smallest_value(tool["function"].get("parameters"))
        arguments = orjson.dumps(value if isinstance(value, dict) else {}).decode()
    step = _ARGUMENT_PIECE_CHARS
    pieces = [arguments[at : at + step] for at in range(0, len(arguments), step)]
    return EchoCall(call_id=call_id, kind=kind, name=_name_of(tool), pieces=pieces)
