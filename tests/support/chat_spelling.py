"""Providers' faults as OpenAI's chat completions wire spells them."""

from collections.abc import Mapping

import orjson

from faults import Tokens
from upstream import Answer


class ChatSpelling:
    """See `faults.Spelling`."""

    kind = "openai_compatible"

    def is_stream(self, answer: Answer) -> bool:
        return bool(answer.call.json.get("stream"))

    def prefix(self, answer: Answer) -> str:
        last = answer.call.json["messages"][-1]
        return str(last["content"]) if last["role"] == "assistant" else ""

    def body(self, text: str, model: str, tokens: Tokens) -> bytes:
        message = {"role": "assistant", "content": text}
        return orjson.dumps(
            {
                "id": "chatcmpl-up",
                "object": "chat.completion",
                "created": 1700000000,
                "model": model,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": _usage(tokens),
            }
        )

    async def start(self, answer: Answer, model: str) -> None:
        await answer.start_stream()
        await answer.frame(_chunk(model, {"role": "assistant", "content": ""}))

    async def word(self, answer: Answer, text: str, model: str) -> None:
        await answer.frame(_chunk(model, {"content": text}))

    async def malformed(self, answer: Answer) -> None:
        await answer.frame(b'{"id": "x", "choices": [{"delta": {"content": "br')

    async def finish(self, answer: Answer, model: str, tokens: Tokens, *, reason: str = "stop") -> None:
        await answer.frame(_chunk(model, {}, finish_reason=reason))
        await answer.frame({**_chunk(model, {}), "choices": [], "usage": _usage(tokens)})

    async def end(self, answer: Answer) -> None:
        await answer.frame(b"[DONE]")
        await answer.end_stream()

    async def in_band_error(self, answer: Answer) -> None:
        await answer.frame({"error": {"message": "overloaded", "type": "server_error", "code": "server_error"}})

    async def refuse(
        self, answer: Answer, status: int, *, kind: str = "", retry_after: str = "", message: str = "no"
    ) -> None:
        codes = {
            "context": "context_length_exceeded",
            "filter": "content_filter",
            "prefill": "invalid_request",
        }
        error = {"message": "prefill is not supported" if kind == "prefill" else message, "code": codes.get(kind)}
        headers = {"retry-after": retry_after} if retry_after else None
        await answer.json({"error": error}, status, headers)


def _chunk(model: str, delta: Mapping[str, object], *, finish_reason: str | None = None) -> dict[str, object]:
    return {
        "id": "chatcmpl-up",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def _usage(tokens: Tokens) -> dict[str, int]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
    }
