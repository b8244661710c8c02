"""Providers of every wire language that call tools twice and then answer, each with its own form of thinking."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import strict_anthropic
import strict_chat
import strict_gemini
import strict_responses
from responses_upstream import events_of, halves

Json = dict[str, Any]
Call = tuple[str, str]
"""An id, and a city."""

STAND_IN = base64.b64encode(b"skip_thought_signature_validator").decode()
TOOL = "weather"
FINAL = "It is sunny everywhere."
STEPS: Sequence[tuple[str, Sequence[str]]] = (
    ("Two places first.", ("Bern", "Genf")),
    ("And now:", ("Chur",)),
    (FINAL, ()),
)
"""What is said in each answer, and of which cities the weather is asked."""


@dataclass(frozen=True)
class Speaker:
    """One provider: what it answers, and what it refuses."""

    name: str
    kind: str
    model: str
    path: str
    """How the addresses end that it answers at, whole and streamed."""
    body: Callable[[str, str, int], Json]
    """The whole answer: by the speaker's name, its model and the number of the step."""
    frames: Callable[[Json], Iterator[bytes]]
    """The same as the frames of a stream."""
    rules: Callable[[Json, "Speaker"], list[str]]
    """The rules that a request breaks."""
    states: Callable[[str, int], Sequence[str]] = lambda name, step: (state_of(name, step),)
    """What an answer holds that must come back byte for byte, and only to itself."""

    def answer(self, step: int) -> Json:
        return self.body(self.name, self.model, step)

    def stream(self, step: int) -> bytes:
        return b"".join(self.frames(self.answer(step)))

    def own_states(self) -> list[str]:
        return [state for step in range(len(STEPS)) for state in self.states(self.name, step)]

    def complaints(self, body: Json) -> list[str]:
        return self.rules(body, self)


def state_of(name: str, step: int) -> str:
    """Bytes that nobody else has."""
    return base64.b64encode(f"signed by {name}, {step}".encode()).decode()


def words_of(name: str, step: int) -> str:
    """What it thinks."""
    return f"I am {name} and think, {step}."


def _arguments(city: str) -> str:
    return f'{{"city":"{city}"}}'


def _data(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


# Chat completions.


def _chat_body(name: str, model: str, step: int, **thinking: object) -> Json:
    text, cities = STEPS[step]
    calls = [
        {"id": f"call_{name}{step}{at}", "type": "function", "function": {"name": TOOL, "arguments": _arguments(city)}}
        for at, city in enumerate(cities)
    ]
    message = {"role": "assistant", "content": text, **thinking, **({"tool_calls": calls} if calls else {})}
    return {
        "id": f"chatcmpl-{step}",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29},
    }


def _deepseek_body(name: str, model: str, step: int) -> Json:
    return _chat_body(name, model, step, reasoning_content=words_of(name, step))


def _openrouter_body(name: str, model: str, step: int) -> Json:
    words = words_of(name, step)
    detail = {
        "type": "reasoning.text",
        "text": words,
        "format": "anthropic-claude-v1",
        "index": 0,
        "signature": state_of(name, step),
    }
    return _chat_body(name, model, step, reasoning=words, reasoning_details=[detail])


def _chat_frames(body: Json) -> Iterator[bytes]:
    [choice] = body["choices"]
    message = choice["message"]

    def chunk(delta: Json, reason: str | None = None) -> bytes:
        head = {**body, "object": "chat.completion.chunk", "usage": None}
        return _data(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    yield chunk({"role": "assistant", "content": ""})
    if details := message.get("reasoning_details"):
        for piece in halves(message["reasoning"]):
            entry = {"type": "reasoning.text", "text": piece, "format": details[0]["format"], "index": 0}
            yield chunk({"reasoning": piece, "reasoning_details": [entry]})
        signed = {name: value for name, value in details[0].items() if name != "text"}
        yield chunk({"reasoning_details": [signed]})
    for piece in halves(message.get("reasoning_content", "")):
        yield chunk({"reasoning_content": piece})
    for piece in halves(message["content"]):
        yield chunk({"content": piece})
    for at, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        yield chunk({"tool_calls": [{"index": at, **call, "function": {**function, "arguments": ""}}]})
        for piece in halves(function["arguments"]):
            yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield chunk({}, choice["finish_reason"])
    yield _data({**body, "object": "chat.completion.chunk", "choices": []})
    yield b"data: [DONE]\n\n"


# Responses.


def _responses_body(name: str, model: str, step: int) -> Json:
    text, cities = STEPS[step]
    output: list[Json] = [
        {
            "type": "reasoning",
            "id": f"rs_{name}{step}",
            "summary": [{"type": "summary_text", "text": words_of(name, step)}],
            "encrypted_content": state_of(name, step),
        },
        {
            "type": "message",
            "id": f"msg_{name}{step}",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary" if cities else "final_answer",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        },
    ]
    output += [
        {
            "type": "function_call",
            "id": f"fc_{name}{step}{at}",
            "call_id": f"call_{name}{step}{at}",
            "name": TOOL,
            "arguments": _arguments(city),
            "status": "completed",
        }
        for at, city in enumerate(cities)
    ]
    usage = {"input_tokens": 20, "output_tokens": 9, "total_tokens": 29}
    return {
        "id": f"resp_{step}",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": "completed",
        "output": output,
        "usage": usage,
    }


def _responses_frames(body: Json) -> Iterator[bytes]:
    begun = {name: value for name, value in body.items() if name != "usage"}
    yield _data({"type": "response.created", "response": {**begun, "status": "in_progress", "output": []}})
    for place, item in enumerate(body["output"]):
        yield from map(_data, events_of(item, place))
    yield _data({"type": "response.completed", "response": body})


def _responses_rules(body: Json, speaker: Speaker) -> list[str]:
    pairs: dict[str, str] = {}
    for step in range(len(STEPS)):
        reasoning, *others = speaker.answer(step)["output"]
        pairs |= {item["id"]: reasoning["id"] for item in others}
    known = set(speaker.own_states())
    return [
        *strict_responses.complaints(body, speaker.model, pairs=pairs),
        *(
            f"input[{at}]: the encrypted content could not be verified"
            for at, item in enumerate(body["input"])
            if item.get("type") == "reasoning" and item.get("encrypted_content") not in known
        ),
    ]


# Anthropic.


def _anthropic_body(name: str, model: str, step: int) -> Json:
    text, cities = STEPS[step]
    content: list[Json] = [
        {"type": "thinking", "thinking": words_of(name, step), "signature": state_of(name, step)},
        {"type": "redacted_thinking", "data": state_of(name + " in secret", step)},
        {"type": "text", "text": text},
    ]
    content += [
        {"type": "tool_use", "id": f"toolu_{name}{step}{at}", "name": TOOL, "input": {"city": city}}
        for at, city in enumerate(cities)
    ]
    return {
        "id": f"msg_{step}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if cities else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 20, "output_tokens": 9},
    }


def _anthropic_states(name: str, step: int) -> Sequence[str]:
    return state_of(name, step), state_of(name + " in secret", step)


def _anthropic_frames(body: Json) -> Iterator[bytes]:
    def event(kind: str, **members: object) -> bytes:
        return f"event: {kind}\n".encode() + _data({"type": kind, **members})

    yield event("message_start", message={**body, "content": [], "stop_reason": None})
    for at, block in enumerate(body["content"]):
        begun, deltas = dict(block), []
        match block["type"]:
            case "text":
                begun["text"] = ""
                deltas = [{"type": "text_delta", "text": piece} for piece in halves(block["text"])]
            case "thinking":
                begun |= {"thinking": "", "signature": ""}
                deltas = [{"type": "thinking_delta", "thinking": piece} for piece in halves(block["thinking"])]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            case "tool_use":
                begun["input"] = {}
                pieces = halves(_arguments(block["input"]["city"]))
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            case _:
                pass
        yield event("content_block_start", index=at, content_block=begun)
        for delta in deltas:
            yield event("content_block_delta", index=at, delta=delta)
        yield event("content_block_stop", index=at)
    yield event("message_delta", delta={"stop_reason": body["stop_reason"], "stop_sequence": None}, usage=body["usage"])
    yield event("message_stop")


# Gemini.


def _gemini_body(name: str, model: str, step: int) -> Json:
    text, cities = STEPS[step]
    parts: list[Json] = [{"text": words_of(name, step), "thought": True}, {"text": text}]
    parts += [{"functionCall": {"name": TOOL, "args": {"city": city}}} for city in cities]
    signed = 2 if cities else 1  # the first call of a step, or else its last text
    parts[signed]["thoughtSignature"] = state_of(name, step)
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0, "finishReason": "STOP"}
    usage = {"promptTokenCount": 20, "candidatesTokenCount": 9, "totalTokenCount": 29}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": f"resp-{step}"}


def _gemini_frames(body: Json) -> Iterator[bytes]:
    [candidate] = body["candidates"]
    for part in candidate["content"]["parts"]:
        piece = {"content": {"role": "model", "parts": [part]}, "index": 0}
        yield _data({**body, "candidates": [piece]})
    last = {"content": {"role": "model", "parts": [{"text": ""}]}, "index": 0, "finishReason": "STOP"}
    yield _data({**body, "candidates": [last]})


def _gemini_rules(body: Json, speaker: Speaker) -> list[str]:
    known = {STAND_IN, *speaker.own_states()}
    return [
        *strict_gemini.complaints(body, speaker.model),
        *(
            f"contents[{at}]: Corrupted thought signature."
            for at, content in enumerate(body["contents"])
            for part in content["parts"]
            if part.get("thoughtSignature", STAND_IN) not in known
        ),
    ]


def _chat(
    name: str,
    model: str,
    vendor: strict_chat.Vendor,
    body: Callable[[str, str, int], Json],
    **more: Any,  # noqa: ANN401 members of a Speaker
) -> Speaker:
    return Speaker(
        name=name,
        kind=name,
        model=model,
        path="/chat/completions",
        body=body,
        frames=_chat_frames,
        rules=lambda sent, speaker: strict_chat.complaints(sent, vendor),
        **more,
    )


def _anthropic(name: str, model: str) -> Speaker:
    return Speaker(
        name=name,
        kind="anthropic",
        model=model,
        path="/messages",
        body=_anthropic_body,
        frames=_anthropic_frames,
        rules=lambda sent, speaker: strict_anthropic.complaints(sent, speaker.model, signatures=speaker.own_states()),
        states=_anthropic_states,
    )


_ROWS = (
    _chat(
        "deepseek",
        "deepseek-v4-pro",
        strict_chat.DEEPSEEK,
        _deepseek_body,
        states=lambda name, step: (words_of(name, step),),
    ),
    _chat("openrouter", "anthropic/claude-sonnet-4.5", strict_chat.OPENROUTER, _openrouter_body),
    _chat("openai", "gpt-5", strict_chat.OPENAI, _chat_body, states=lambda name, step: ()),
    Speaker("responses", "openai", "gpt-5.6-sol", "/responses", _responses_body, _responses_frames, _responses_rules),
    _anthropic("claude", "claude-opus-4-8"),
    _anthropic("budgeted", "claude-sonnet-4-5"),
    Speaker(
        "gemini",
        "gemini",
        "gemini-3-flash-preview",
        "enerateContent",
        _gemini_body,
        _gemini_frames,
        _gemini_rules,
    ),
)
SPEAKERS: Mapping[str, Speaker] = {speaker.name: speaker for speaker in _ROWS}
