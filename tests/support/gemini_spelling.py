"""Providers' faults as Gemini's generateContent spells them."""

from collections.abc import Mapping

import orjson

from faults import Tokens
from upstream import Answer

# https://cloud.google.com/apis/design/errors: the word of each status.
WORDS: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
REASONS: Mapping[str, str] = {"stop": "STOP", "content_filter": "SAFETY"}
TEXTS: Mapping[str, str] = {
    "context": "The input token count (9000) exceeds the maximum number of tokens allowed (1000).",
    "prefill": "prefill is not supported",
}


class GeminiSpelling:
    """See `faults.Spelling`."""

    kind = "gemini"

    def is_stream(self, answer: Answer) -> bool:
        return ":streamGenerateContent" in answer.call.path

    def prefix(self, answer: Answer) -> str:
        last = answer.call.json["contents"][-1]
        return "".join(part["text"] for part in last["parts"]) if last["role"] == "model" else ""

    def body(self, text: str, model: str, tokens: Tokens) -> bytes:
        return orjson.dumps(_chunk(model, text, finishReason="STOP") | {"usageMetadata": _usage(tokens)})

    async def start(self, answer: Answer, model: str) -> None:
        await answer.start_stream()
        await answer.frame(_chunk(model, ""))

    async def word(self, answer: Answer, text: str, model: str) -> None:
        await answer.frame(_chunk(model, text))

    async def malformed(self, answer: Answer) -> None:
        await answer.frame(b'{"candidates": [{"content": {"parts": [{"text": "br')

    async def finish(self, answer: Answer, model: str, tokens: Tokens, *, reason: str = "stop") -> None:
        await answer.frame(_chunk(model, "", finishReason=REASONS[reason]) | {"usageMetadata": _usage(tokens)})

    async def end(self, answer: Answer) -> None:
        await answer.end_stream()  # there is no mark

    async def in_band_error(self, answer: Answer) -> None:
        await answer.frame({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}})

    async def refuse(
        self, answer: Answer, status: int, *, kind: str = "", retry_after: str = "", message: str = "no"
    ) -> None:
        if kind == "filter":  # is no error here: a whole answer that is empty
            blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 11}}
            await answer.json(blocked)
            return
        error: dict[str, object] = {
            "code": status,
            "message": TEXTS.get(kind, message),
            "status": WORDS.get(status, "UNKNOWN"),
        }
        if retry_after:
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after}s"}]
        await answer.json({"error": error}, status)


def _chunk(model: str, text: str, **more: object) -> dict[str, object]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **more}
    return {"candidates": [candidate], "modelVersion": model, "responseId": "resp-up"}


def _usage(tokens: Tokens) -> dict[str, int]:
    return {
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": tokens.output,
        "totalTokenCount": tokens.input + tokens.output,
    }
