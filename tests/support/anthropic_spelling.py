"""Providers' faults as Anthropic's Messages wire spells them."""

from collections.abc import Mapping

import orjson

from faults import Tokens
from upstream import Answer

TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
}
STATUSES: Mapping[int, int] = {503: 529}
"""What is overloaded answers with a number of its own here."""
REASONS: Mapping[str, str] = {"stop": "end_turn", "content_filter": "refusal"}
TEXTS: Mapping[str, str] = {
    "context": "prompt is too long: 9000 tokens > 1000 maximum",
    "prefill": "prefill is not supported",
}


class AnthropicSpelling:
    """See `faults.Spelling`."""

    kind = "anthropic"

    def is_stream(self, answer: Answer) -> bool:
        return bool(answer.call.json.get("stream"))

    def prefix(self, answer: Answer) -> str:
        last = answer.call.json["messages"][-1]
        if last["role"] != "assistant":
            return ""
        content = last["content"]
        return content if isinstance(content, str) else "".join(block["text"] for block in content)

    def body(self, text: str, model: str, tokens: Tokens) -> bytes:
        return orjson.dumps(_message(model, text, tokens, stop_reason="end_turn"))

    async def start(self, answer: Answer, model: str) -> None:
        await answer.start_stream()
        message = _message(model, "", Tokens(11, 1), stop_reason=None) | {"content": []}
        await _event(answer, "message_start", message=message)
        await _event(answer, "content_block_start", index=0, content_block={"type": "text", "text": ""})
        await _event(answer, "ping")

    async def word(self, answer: Answer, text: str, model: str) -> None:
        await _event(answer, "content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    async def malformed(self, answer: Answer) -> None:
        data = b'{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "br'
        await answer.piece(b"event: content_block_delta\ndata: " + data + b"\n\n")

    async def finish(self, answer: Answer, model: str, tokens: Tokens, *, reason: str = "stop") -> None:
        await _event(answer, "content_block_stop", index=0)
        delta = {"stop_reason": REASONS[reason], "stop_sequence": None}
        await _event(answer, "message_delta", delta=delta, usage=_usage(tokens))

    async def end(self, answer: Answer) -> None:
        await _event(answer, "message_stop")
        await answer.end_stream()

    async def in_band_error(self, answer: Answer) -> None:
        await _event(answer, "error", error={"type": "overloaded_error", "message": "Overloaded"})

    async def refuse(
        self, answer: Answer, status: int, *, kind: str = "", retry_after: str = "", message: str = "no"
    ) -> None:
        if kind == "filter":  # is no error here: a whole answer that refuses
            await answer.json(_message("m", "", Tokens(11, 0), stop_reason="refusal") | {"content": []})
            return
        error = {"type": TYPES.get(status, "api_error"), "message": TEXTS.get(kind, message)}
        headers = {"retry-after": retry_after} if retry_after else None
        body = {"type": "error", "error": error, "request_id": "req_up"}
        await answer.json(body, STATUSES.get(status, status), headers)


async def _event(answer: Answer, name: str, **members: object) -> None:
    data = orjson.dumps({"type": name, **members})
    await answer.piece(b"event: " + name.encode() + b"\ndata: " + data + b"\n\n")


def _message(model: str, text: str, tokens: Tokens, *, stop_reason: str | None) -> dict[str, object]:
    return {
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": _usage(tokens),
    }


def _usage(tokens: Tokens) -> dict[str, int]:
    return {"input_tokens": tokens.input, "output_tokens": tokens.output}
