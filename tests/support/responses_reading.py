"""What an answer of the Responses API says, read without a line of the gateway's code.

A stream is read by the whole answer that its last event repeats, never by its pieces: those are what is tested.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trunkline.v1 import CompleteResponse, FinishReason, Part, Phase, StateKind
from wire_answer import read_frames

Json = dict[str, Any]

ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
FINISHES: Mapping[str, str] = {"max_output_tokens": "length", "content_filter": "content_filter"}
FINISH_WORDS: Mapping[int, str] = {
    FinishReason.FINISH_REASON_STOP: "stop",
    FinishReason.FINISH_REASON_TOOL_CALLS: "tool_calls",
    FinishReason.FINISH_REASON_LENGTH: "length",
    FinishReason.FINISH_REASON_CONTENT_FILTER: "content_filter",
}
PHASES: Mapping[int, str] = {Phase.PHASE_COMMENTARY: "commentary", Phase.PHASE_FINAL_ANSWER: "final_answer"}


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing said, in its order: a text, a refusal, a call, a thought, or a step that only the provider knows."""

    kind: str
    id: str
    said: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A whole answer."""

    model: str
    things: tuple[Thing, ...]
    finish: str
    usage: Mapping[str, int]
    tier: str


def answer_in(body: bytes, *, stream: bool) -> Json:
    """The whole answer; of a stream the one that its last event repeats, empty if it was cut off."""
    if not stream:
        whole: Json = json.loads(body)
        return whole
    events = [json.loads(frame.data) for frame in read_frames(body) if frame.data != "[DONE]"]
    answer: Json = next((event["response"] for event in events if event["type"] in ENDS), {})
    # What is encrypted is so anew each time, and the API's documentation says to take it from the item's own end.
    for event in events:
        item = event.get("item") or {}
        if event["type"] == "response.output_item.done" and item.get("encrypted_content"):
            answer["output"][event["output_index"]]["encrypted_content"] = item["encrypted_content"]
    return answer


def error_in(body: bytes, *, stream: bool) -> Json | None:
    """The failure that it tells of in place of an answer, if it does."""
    error: Json | None = answer_in(body, stream=stream).get("error")
    return error


def read_response(answer: Json) -> Said:
    """What the API says."""
    things = tuple(_things(answer["output"]))
    usage = answer.get("usage") or {}
    return Said(
        model=answer["model"],
        things=things,
        finish=_finish(answer, calls=any(thing.kind == "call" for thing in things)),
        usage={name: count for name, count in _counts(usage).items() if count is not None},
        tier=answer.get("service_tier") or "",
    )


def read_contract(answer: CompleteResponse) -> Said:
    """The same of what the gateway makes of it."""
    choice = answer.choices[0]
    usage = answer.usage
    counts = {"input": usage.input_tokens, "output": usage.output_tokens}
    if usage.HasField("cache_read_tokens"):
        counts["cache_read"] = usage.cache_read_tokens
    if usage.HasField("cache_write_tokens"):
        counts["cache_write"] = usage.cache_write_tokens
    if usage.HasField("reasoning_tokens"):
        counts["reasoning"] = usage.reasoning_tokens
    return Said(
        model=answer.model,
        things=tuple(_from_parts(choice.message.parts)),
        finish=FINISH_WORDS.get(choice.finish_reason, choice.native_finish_reason),
        usage=counts if answer.HasField("usage") else {},
        tier=answer.service_tier,
    )


def chat_text(answer: Json) -> str:
    """All texts, as a chat client is told them."""
    return "".join(str(thing.said[0]) for thing in _things(answer["output"]) if thing.kind == "text")


def chat_calls(answer: Json) -> list[tuple[object, ...]]:
    """All calls, as a chat client is told them: id, name and arguments."""
    return [thing.said[1:4] for thing in _things(answer["output"]) if thing.kind == "call"]


def chat_reasoning(answer: Json) -> str:
    """All paragraphs of the thinking, as a chat client is told them."""
    paragraphs: list[str] = []
    for item in answer["output"]:
        if item["type"] == "reasoning":
            text = "".join(entry["text"] for entry in item.get("content") or ())
            paragraphs += [text, *(entry["text"] for entry in item["summary"])]
    return "\n\n".join(filter(None, paragraphs))


def _finish(answer: Json, *, calls: bool) -> str:
    if answer["status"] in ("completed", "complete"):
        return "tool_calls" if calls else "stop"
    reason = (answer.get("incomplete_details") or {}).get("reason") or answer["status"]
    return FINISHES.get(reason, reason)


def _counts(usage: Json) -> Mapping[str, int | None]:
    read, written = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
    return {
        "input": usage.get("input_tokens"),
        "output": usage.get("output_tokens"),
        "cache_read": read.get("cached_tokens"),
        "cache_write": read.get("cache_write_tokens"),
        "reasoning": written.get("reasoning_tokens"),
    }


def _things(items: Sequence[Json]) -> Iterator[Thing]:
    for item in items:
        item_id = item.get("id") or ""
        match item["type"]:
            case "message":
                for part in item["content"]:
                    yield _content(part, item_id, item.get("phase") or "")
            case "function_call" | "custom_tool_call" as kind:
                arguments = item["arguments" if kind == "function_call" else "input"]
                yield Thing(
                    "call", item_id, (kind, item["call_id"], item["name"], arguments, item.get("namespace") or "")
                )
            case "reasoning":
                summary = tuple(entry["text"] for entry in item["summary"] if entry["text"])
                text = "".join(entry["text"] for entry in item.get("content") or ())
                yield Thing("reasoning", item_id, (summary, text, item.get("encrypted_content") or ""))
            case "image_generation_call" as kind:
                call = {name: value for name, value in item.items() if name != "result"}
                yield Thing(kind, item_id, (json.dumps(call, sort_keys=True),))
                yield Thing("picture", item_id, (base64.b64decode(item["result"]),))
            case kind:
                yield Thing(kind, item_id, (json.dumps(item, sort_keys=True),))


def _content(part: Json, item_id: str, phase: str) -> Thing:
    if part["type"] == "refusal":
        return Thing("refusal", item_id, (part["refusal"], phase))
    annotations = part.get("annotations") or ()
    sources = tuple((one["type"], one.get("url") or one.get("file_id") or "") for one in annotations)
    tokens = tuple((token["token"], token["logprob"]) for token in part.get("logprobs") or ())
    return Thing("text", item_id, (part["text"], phase, sources, tokens))


def _from_parts(parts: Iterable[Part]) -> Iterator[Thing]:
    for part in parts:
        item_id, phase = part.state.id, PHASES.get(part.phase, "")
        match part.WhichOneof("content"):
            case "text":
                sources = tuple((one.kind, one.url or one.file_id) for one in part.citations)
                tokens = tuple((token.token, token.logprob) for token in part.logprobs)
                yield Thing("text", item_id, (part.text, phase, sources, tokens))
            case "refusal":
                yield Thing("refusal", item_id, (part.refusal, phase))
            case "tool_call":
                call = part.tool_call
                kind = ("", "function_call", "custom_tool_call")[call.kind]
                yield Thing("call", item_id, (kind, call.id, call.name, call.arguments, call.namespace))
            case "reasoning":
                encrypted = part.state.kind == StateKind.STATE_KIND_OPENAI_ENCRYPTED
                state = part.state.data.decode() if encrypted else ""
                yield Thing("reasoning", item_id, (tuple(part.reasoning.summary), part.reasoning.text, state))
            case "image":
                yield Thing("picture", item_id, (part.image.media.data,))
            case kind:
                step = getattr(part, str(kind))
                yield Thing(step.type, item_id, (json.dumps(json.loads(step.native), sort_keys=True),))
