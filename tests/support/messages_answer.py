"""What an answer of Anthropic's Messages wire says, read without a line of the gateway's code."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wire_answer import Json, Said, SaidCall, SaidChoice, read_frames

FINISHES: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "pause_turn": "length",
    "refusal": "content_filter",
}
# Pieces of a block: the type of the delta, the member that has the piece, and the member of the block that it adds to.
PIECES: Mapping[str, tuple[str, str]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "json"),
    "compaction_delta": ("content", "content"),
}


def error_in(body: bytes, *, stream: bool) -> Json | None:
    """The failure that an answer tells of in place of its end, if it does."""
    for event in read_events(body) if stream else [json.loads(body)]:
        if event.get("type") == "error":
            error: Json = event["error"]
            return error
    return None


def read_events(stream: bytes) -> list[Json]:
    """The objects of a stream."""
    return [json.loads(frame.data) for frame in read_frames(stream)]


def whole_of(events: Sequence[Json]) -> Json:
    """The message that a stream amounts to."""
    message: Json = {}
    for event in events:
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                message["content"].append(event["content_block"])
            case "content_block_delta":
                _add(message["content"][event["index"]], event["delta"])
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
                message |= {name: event[name] for name in event if name not in ("type", "delta", "usage")}
            case _:
                pass
    for block in message["content"]:
        if "json" in block:
            block["input"] = json.loads(block.pop("json") or "{}")
    return message


def read_message(message: Json) -> Said:
    """What a message says. Calls of the provider's own tools are not the client's."""
    blocks: list[Json] = message["content"]
    calls = tuple(
        SaidCall(id=block["id"], kind="function", name=block["name"], arguments=_canonical(block["input"]))
        for block in blocks
        if block["type"] == "tool_use"
    )
    choice = SaidChoice(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        reasoning="".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        refusal="",
        calls=calls,
        finish=FINISHES[message["stop_reason"]],
        sources=tuple(_sources(blocks)),
        tokens=(),
        sound="",
    )
    return Said(model=message["model"], choices=(choice,), usage=_usage(message["usage"]))


def own_blocks(message: Json) -> list[Json]:
    """What only the provider understands, or wants to see again, in order."""
    return [block for block in message["content"] if block["type"] not in ("text", "tool_use")]


def _add(block: Json, delta: Json) -> None:
    if delta["type"] == "citations_delta":
        block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        return
    source, member = PIECES[delta["type"]]
    block[member] = (block.get(member) or "") + (delta[source] or "")
    block |= {name: value for name, value in delta.items() if name not in ("type", source) and value is not None}


def _sources(blocks: Sequence[Json]) -> Iterator[str]:
    for block in blocks:
        for citation in block.get("citations") or ():
            if url := citation.get("url"):
                yield url


def _canonical(value: Any) -> str:  # noqa: ANN401 any JSON
    return json.dumps(value, sort_keys=True)


def _usage(usage: Json) -> Mapping[str, int]:
    read, written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    counts = {
        "prompt": usage["input_tokens"] + (read or 0) + (written or 0),
        "completion": usage["output_tokens"],
        "cache_read": read,
        "cache_write": written,
        "reasoning": (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
    }
    return {name: count for name, count in counts.items() if count is not None}
