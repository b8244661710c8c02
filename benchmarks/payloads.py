"""What is sent and answered: a request of 2 KB with four messages and a tool, an answer of 1 KB, a stream of words."""

from typing import Final

import orjson

from trunkline.v1 import Choice, CompleteRequest, CompleteResponse, FinishReason, Message, Role

MODEL: Final = "bench-model"
KEY: Final = "tl-benchmark-0123456789abcdefghijklmnopqrstu"
PATH: Final = "/v1/chat/completions"
CHUNKS_AROUND: Final = 3
"""Frames of a stream that hold no word: the role, the finish reason, the usage."""

_ID: Final = "chatcmpl-Bx7fQ2mZ0kT9sYwVhJ4cLr1NaPdGe"
_CREATED_S: Final = 1_767_225_600
_SENTENCE: Final = "the gateway takes each request reads what it asks for and hands every piece of its answer on"
_WORDS: Final = tuple(_SENTENCE.split())
_SYSTEM_BYTES, _TURN_BYTES, _ANSWER_BYTES = 600, 280, 620
_USAGE: Final = {
    "prompt_tokens": 480,
    "completion_tokens": 150,
    "total_tokens": 630,
    "prompt_tokens_details": {"cached_tokens": 256, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0},
}
_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "The name of the city, with its country if it is ambiguous"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "The unit to answer in"},
    },
    "required": ["city"],
    "additionalProperties": False,
}
_TOOL_NAME: Final = "get_weather"
_TOOL_ABOUT: Final = "Looks up what the weather is now in a city, by the nearest station that has reported."


def _text(size: int) -> str:
    """Words, `size` characters of them."""
    return f"{_SENTENCE} " * (size // len(_SENTENCE)) + _SENTENCE[: size % len(_SENTENCE)]


_TURNS: Final = (
    ("system", _text(_SYSTEM_BYTES)),
    ("user", _text(_TURN_BYTES)),
    ("assistant", _text(_TURN_BYTES)),
    ("user", _text(_TURN_BYTES)),
)


def chat_body(*, stream: bool, model: str = MODEL) -> bytes:
    """The request as OpenAI's SDK writes it: compact JSON."""
    body: dict[str, object] = {
        "messages": [{"role": role, "content": text} for role, text in _TURNS],
        "model": model,
        "max_completion_tokens": 512,
        "temperature": 0.7,
        "tools": [
            {
                "type": "function",
                "function": {"name": _TOOL_NAME, "description": _TOOL_ABOUT, "parameters": _PARAMETERS},
            }
        ],
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return orjson.dumps(body)


def chat_request(host: str, *, stream: bool, model: str = MODEL) -> bytes:
    """`chat_body` as a whole HTTP request with a key."""
    body = chat_body(stream=stream, model=model)
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\naccept: application/json\r\n"
        f"user-agent: trunkline-bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def answer_text() -> str:
    """What an answer says."""
    return _text(_ANSWER_BYTES)


def chat_answer() -> bytes:
    """A whole answer, as the upstream gives it."""
    message: dict[str, object] = {"role": "assistant", "content": answer_text(), "refusal": None, "annotations": []}
    return orjson.dumps(
        {
            "id": _ID,
            "object": "chat.completion",
            "created": _CREATED_S,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": _USAGE,
            "service_tier": "default",
            "system_fingerprint": "fp_44709d6fcb",
        }
    )


def stream_frames(words: int) -> list[bytes]:
    """A streamed answer as server-sent events, one for each write: the role, `words` words, and how it ended."""
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += ({"content": f" {_WORDS[number % len(_WORDS)]}"} for number in range(words))
    frames = [_frame([_choice(delta, None)], None) for delta in deltas]
    return [*frames, _frame([_choice({}, "stop")], None), _frame([], _USAGE) + b"data: [DONE]\n\n"]


def spoken_words(count: int) -> str:
    """So many of the words that a stream says."""
    return " ".join(_WORDS[number % len(_WORDS)] for number in range(count))


def grpc_request() -> CompleteRequest:
    """The same request by the contract."""
    request = CompleteRequest(model=MODEL, max_output_tokens=512, temperature=0.7)
    roles = {"system": Role.ROLE_SYSTEM, "user": Role.ROLE_USER, "assistant": Role.ROLE_ASSISTANT}
    for role, text in _TURNS:
        request.messages.add(role=roles[role]).parts.add(text=text)
    request.tools.add(name=_TOOL_NAME, description=_TOOL_ABOUT, parameters=orjson.dumps(_PARAMETERS).decode())
    return request


def grpc_answer() -> CompleteResponse:
    """An answer as large as the gateway's to `grpc_request`."""
    message = Message(role=Role.ROLE_ASSISTANT)
    message.parts.add(text=_text(_ANSWER_BYTES))
    choice = Choice(message=message, finish_reason=FinishReason.FINISH_REASON_STOP, native_finish_reason="stop")
    answer = CompleteResponse(id=_ID, model=MODEL, created_at_ms=_CREATED_S * 1000, choices=[choice])
    answer.provider_response_id = _ID
    answer.usage.input_tokens, answer.usage.output_tokens = 480, 150
    answer.report.target = f"upstream/{MODEL}"
    answer.report.attempts.add(target=f"upstream/{MODEL}", provider="upstream", model=MODEL, http_status=200)
    return answer


def _choice(delta: dict[str, object], reason: str | None) -> dict[str, object]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _frame(choices: list[dict[str, object]], usage: object) -> bytes:
    chunk = {
        "id": _ID,
        "object": "chat.completion.chunk",
        "created": _CREATED_S,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
