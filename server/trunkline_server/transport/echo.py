"""A provider inside the process: it speaks OpenAI's wire and says back what it was told.

Its answers depend on nothing but the request, so demonstrations and tests need no vendor, key or network. The member
`echo` of the body (see `echo_reply.Controls`) asks for delays, errors and broken connections.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from trunkline.errors import ProviderBadAnswerError
from trunkline_server.providers.target import Provider
from trunkline_server.transport.echo_reply import EchoCall, RefusedError, Reply, plan_reply
from trunkline_server.values.wire import WireRequest

PATH: Final = "/chat/completions"
# How many chunks a read gives when none of them has to be waited for, like a socket that has them all.
CHUNKS_A_READ: Final = 16

_CODES: Final = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("billing_error", "credit_balance_exhausted"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", "server_error"),
    503: ("service_unavailable_error", "server_is_overloaded"),
}
_FAILURE: Final = "echo was asked to fail here"
_IN_BAND: Final = {"message": _FAILURE, "type": "server_error", "param": None, "code": "server_error"}
_DONE: Final = b"data: [DONE]\n\n"
# Where a call of each kind has its name, and its arguments.
_HOLDERS: Final = {"function": ("function", "arguments"), "custom": ("custom", "input")}

Clock = Callable[[], float]
Step = tuple[bytes, bool]
"""Bytes to send, and whether they hold a word, which may have to be waited for."""


class EchoTransport:
    """The way to the provider inside the process. `clock` gives Unix seconds."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock

    async def open(
        self, provider: Provider, request: WireRequest, headers: Mapping[str, str], *, key_index: int = 0
    ) -> "EchoExchange":
        try:
            if request.path != PATH:
                raise RefusedError(404, f"Unknown request URL: POST {request.path}", code="unknown_url")
            reply = plan_reply(request.body)
            return await self._answer(reply)
        except RefusedError as refused:
            return EchoExchange(refused.status, _headers("application/json"), _once(_error_body(refused.error)))

    async def _answer(self, reply: Reply) -> "EchoExchange":
        controls = reply.controls
        if controls.error:
            await asyncio.sleep(controls.first_delay_ms / 1000)
            kind, code = _CODES.get(controls.error, (None, None))
            error = {"message": "echo was asked to fail", "type": kind, "param": None, "code": code}
            more = {"retry-after": "1"} if controls.error in (429, 503) else {}
            head = {**_headers("application/json", reply), **more}
            return EchoExchange(controls.error, head, _once(_error_body(error)))
        created = int(self._clock())
        if reply.stream:
            return EchoExchange(
                200,
                _headers("text/event-stream; charset=utf-8", reply),
                _stream(reply, created),
                delay_s=controls.delay_ms / 1000,
                first_delay_s=controls.first_delay_ms / 1000,
            )
        # A whole answer is not begun before it is finished.
        words = reply.completion_tokens
        await asyncio.sleep((controls.first_delay_ms + controls.delay_ms * max(words - 1, 0)) / 1000)
        if controls.error_after is not None and not reply.is_cut():
            raise RefusedError(500, _FAILURE, kind="server_error", code="server_error")
        return EchoExchange(200, _headers("application/json", reply), _whole(reply, created))


class EchoExchange:
    """One answer, made as it is read."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        steps: Iterator[Step],
        *,
        delay_s: float = 0,
        first_delay_s: float = 0,
    ) -> None:
        self.status = status
        self.headers = headers
        self.resent = False
        self.waited_ns = 0
        self._steps = steps
        self._delay_s = delay_s
        self._next_delay_s = first_delay_s
        self._waiting: asyncio.Future[None] | None = None
        self._failure: Exception | None = None

    async def read(self) -> bytes:
        if self._failure is None and self._next_delay_s:
            await self._pause(self._next_delay_s)
        else:
            await asyncio.sleep(0)  # a reader that is never waited for starves everybody else
        if self._failure is not None:
            raise self._failure
        pieces, said = [], False
        try:
            for data, is_word in self._steps:
                pieces.append(data)
                said |= is_word
                if (said and self._delay_s) or len(pieces) == CHUNKS_A_READ:
                    break
        except ProviderBadAnswerError as error:
            # What arrived before the connection broke is read first.
            self._failure = error
            if not pieces:
                raise
        self._next_delay_s = self._delay_s if said else 0
        return b"".join(pieces)

    def fail(self, error: Exception) -> None:
        self._failure = error
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self, *, linger_s: float = 0) -> None:
        self.fail(self._failure or ProviderBadAnswerError("the connection was closed while the answer was being read"))

    async def _pause(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(seconds, _wake, self._waiting)
        try:
            await self._waiting
        finally:
            timer.cancel()
            self._waiting = None


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _headers(content_type: str, reply: Reply | None = None) -> dict[str, str]:
    found = {"content-type": content_type, "openai-version": "2020-10-01", "openai-processing-ms": "0"}
    if reply is not None:
        found["x-request-id"] = f"req_{reply.response_id.rpartition('-')[2]}"
    return found


def _error_body(error: Mapping[str, object]) -> bytes:
    return orjson.dumps({"error": error})


def _once(body: bytes) -> Iterator[Step]:
    yield body, False


def _whole(reply: Reply, created: int) -> Iterator[Step]:
    message: dict[str, Any] = {"role": "assistant", "content": None if reply.calls else "".join(reply.text)}
    message["refusal"] = None
    if reply.reasoning:
        message["reasoning_content"] = "".join(reply.reasoning)
    if reply.calls:
        message["tool_calls"] = [_call(call, "".join(call.pieces)) for call in reply.calls]
    logprobs = _logprobs(reply.text) if reply.logprobs else None
    choice = {"message": message, "logprobs": logprobs, "finish_reason": reply.finish_reason}
    body = orjson.dumps(
        {
            "id": reply.response_id,
            "object": "chat.completion",
            "created": created,
            "model": reply.model,
            "choices": [{"index": index, **choice} for index in range(reply.choice_count)],
            "usage": reply.usage(),
            "service_tier": "default",
            "system_fingerprint": "fp_echo",
        }
    )
    if reply.is_cut():
        yield body[: len(body) // 2], False
        raise ProviderBadAnswerError("the connection broke before the answer's end")
    yield body, False


def _stream(reply: Reply, created: int) -> Iterator[Step]:
    """The answer as chunks: the same bytes around each delta are made only once."""
    head = orjson.dumps(
        {
            "id": reply.response_id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": reply.model,
            "service_tier": "default",
            "system_fingerprint": "fp_echo",
        }
    )[:-1]
    start = b"data: " + head + b',"choices":['
    tail = b',"usage":null}\n\n' if reply.include_usage else b"}\n\n"
    ends = b',"logprobs":null,"finish_reason":null}]' + tail
    openings = [start + b'{"index":%d,"delta":' % index for index in range(reply.choice_count)]

    def frames(delta: bytes, end: bytes = ends) -> bytes:
        return b"".join([opening + delta + end for opening in openings])

    content = b"null" if reply.calls else b'""'
    yield frames(b'{"role":"assistant","content":' + content + b"}"), False
    words, breaks_after = 0, reply.breaks_after()
    for delta, word in _deltas(reply):
        end = ends
        if word is not None:
            if words == breaks_after:
                break
            words += 1
            if reply.logprobs and len(reply.reasoning) < words <= len(reply.reasoning) + len(reply.text):
                end = b',"logprobs":' + orjson.dumps(_logprobs([word])) + b',"finish_reason":null}]' + tail
        yield frames(delta, end), word is not None
    if words == breaks_after:
        yield from _break_off(reply)
        return
    reason = orjson.dumps(reply.finish_reason)
    yield frames(b"{}", b',"logprobs":null,"finish_reason":' + reason + b"}]" + tail), False
    if reply.include_usage:
        yield start + b'],"usage":' + orjson.dumps(reply.usage()) + b"}\n\n", False
    yield _DONE, False


def _break_off(reply: Reply) -> Iterator[Step]:
    """The failure that was asked for: an error in band, or a connection that breaks."""
    if reply.is_cut():
        raise ProviderBadAnswerError("the connection broke before the answer's end")
    yield b"data: " + _error_body(_IN_BAND) + b"\n\n", False


def _deltas(reply: Reply) -> Iterator[tuple[bytes, str | None]]:
    """The deltas of any choice after its first, and the word in each; None where there is no word."""
    for word in reply.reasoning:
        yield b'{"reasoning_content":' + orjson.dumps(word) + b"}", word
    for word in reply.text:
        yield b'{"content":' + orjson.dumps(word) + b"}", word
    for index, call in enumerate(reply.calls):
        yield orjson.dumps({"tool_calls": [{"index": index, **_call(call, "")}]}), None
        holder, member = _HOLDERS[call.kind]
        for piece in call.pieces:
            yield orjson.dumps({"tool_calls": [{"index": index, holder: {member: piece}}]}), piece


def _call(call: EchoCall, arguments: str) -> dict[str, Any]:
    holder, member = _HOLDERS[call.kind]
    return {"id": call.call_id, "type": call.kind, holder: {"name": call.name, member: arguments}}


def _logprobs(words: list[str]) -> dict[str, Any]:
    """Every word is certain."""
    tokens = [{"token": word, "logprob": 0.0, "bytes": list(word.encode()), "top_logprobs": []} for word in words]
    return {"content": tokens, "refusal": None}
