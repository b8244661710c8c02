"""One request through a surface of a running gateway, and what its client got, in the same words for both surfaces."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

import openai

import trunkline
from openai_client import HELLO, openai_client
from running_gateway import RunningGateway
from trunkline.answer import AnswerBuilder
from trunkline.v1 import AttemptOutcome, CompleteRequest, CompleteResponse, ErrorReason, FinishReason, Role

Surface = Literal["REST", "gRPC"]
SURFACES: tuple[Surface, ...] = ("REST", "gRPC")

CLIENT_PATIENCE_S = 300.0
"""Nobody waits longer; the gateway must have spoken long before."""

_OUTCOMES = {value: name.removeprefix("ATTEMPT_OUTCOME_").lower() for name, value in AttemptOutcome.items()}
_FINISHES = {
    FinishReason.FINISH_REASON_STOP: "stop",
    FinishReason.FINISH_REASON_LENGTH: "length",
    FinishReason.FINISH_REASON_CONTENT_FILTER: "content_filter",
    FinishReason.FINISH_REASON_REFUSAL: "content_filter",
}


@dataclass(slots=True)
class Got:
    """What one client got."""

    text: str = ""
    finish: str = ""
    """The finish reason in OpenAI's spelling; empty: none was told."""
    error: str = ""
    """The reason of the typed error, such as "provider_unavailable"; empty: there was none."""
    message: str = ""
    """The error's text."""
    hung: bool = False
    model: str = ""
    tokens: tuple[int, int] | None = None
    """Input and output."""
    attempts: list[tuple[str, str]] = field(default_factory=list)
    """Target and outcome of each."""
    resumed: bool = False
    target: str = ""
    began: float = 0.0
    """When the request was sent; what a client needs to come up is not the gateway's time."""
    took_s: float = 0.0
    """On the loop's clock."""

    @property
    def complete(self) -> bool:
        """Whether it was told that this is the whole answer."""
        return bool(self.finish) and not self.error


async def ask(gateway: RunningGateway, surface: Surface, *, stream: bool, timeout_s: float = 0) -> Got:
    """Asks model "m" something. `timeout_s` is the client's own deadline; 0: none."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    got = Got(began=began)
    try:
        async with asyncio.timeout(CLIENT_PATIENCE_S):
            if surface == "REST":
                await _by_rest(gateway, got, stream=stream, timeout_s=timeout_s)
            else:
                await _by_grpc(gateway, got, stream=stream, timeout_s=timeout_s)
    except TimeoutError:
        got.hung = True
    got.took_s = loop.time() - got.began
    return got


async def _by_rest(gateway: RunningGateway, got: Got, *, stream: bool, timeout_s: float) -> None:
    headers = {"x-request-timeout-ms": str(int(timeout_s * 1000))} if timeout_s else {}
    async with openai_client(gateway, timeout_s=CLIENT_PATIENCE_S * 2) as client:
        await client.models.list()
        got.began = asyncio.get_running_loop().time()
        try:
            if stream:
                answer = await client.chat.completions.create(
                    model="m",
                    messages=HELLO,
                    stream=True,
                    stream_options={"include_usage": True},
                    extra_headers=headers,
                )
                async for chunk in answer:
                    got.model = got.model or chunk.model
                    for choice in chunk.choices:
                        got.text += choice.delta.content or ""
                        got.finish = choice.finish_reason or got.finish
                    if chunk.usage is not None:
                        got.tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                    _rest_report(got, (chunk.model_extra or {}).get("trunkline"))
            else:
                whole = await client.chat.completions.create(model="m", messages=HELLO, extra_headers=headers)
                got.text = whole.choices[0].message.content or ""
                got.finish = whole.choices[0].finish_reason
                got.model = whole.model
                if whole.usage is not None:
                    got.tokens = (whole.usage.prompt_tokens, whole.usage.completion_tokens)
                _rest_report(got, (whole.model_extra or {}).get("trunkline"))
        except openai.APIError as error:
            # The finish of what was cut counts for nothing.
            got.error, got.message = str(error.code or error.type or "untyped"), error.message
            if isinstance(error, openai.APIStatusError):
                _rest_report(got, error.response.json().get("trunkline"))


def _rest_report(got: Got, report: dict[str, Any] | None) -> None:
    if report is None:
        return
    got.attempts = [(attempt["target"], attempt["outcome"]) for attempt in report.get("attempts", [])]
    got.target = report.get("target", "")
    got.resumed = bool(report.get("resumed"))


async def _by_grpc(gateway: RunningGateway, got: Got, *, stream: bool, timeout_s: float) -> None:
    request = CompleteRequest(model="m")
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Say something")
    if timeout_s:
        request.routing.timeout_ms = int(timeout_s * 1000)
    async with trunkline.AsyncClient(gateway.grpc_address) as client:
        await client.models()
        got.began = asyncio.get_running_loop().time()
        builder = AnswerBuilder()
        try:
            if stream:
                async with client.stream(request) as events:
                    async for event in events:
                        builder.add_event(event)
                        if event.HasField("text"):
                            got.text += event.text
                answer = builder.response()
            else:
                answer = await client.complete(request)
            _take(got, answer)
        except trunkline.GatewayError as error:
            got.error = _reason(error)
            got.message = error.message
            if error.report is not None:
                got.attempts = [(a.target, _OUTCOMES[a.outcome]) for a in error.report.attempts]


def _take(got: Got, answer: CompleteResponse) -> None:
    got.text = trunkline.text_of(answer)
    got.finish = _FINISHES.get(answer.choices[0].finish_reason, "other")
    got.model = answer.model
    got.tokens = (answer.usage.input_tokens, answer.usage.output_tokens) if answer.HasField("usage") else None
    got.attempts = [(attempt.target, _OUTCOMES[attempt.outcome]) for attempt in answer.report.attempts]
    got.target = answer.report.target
    got.resumed = answer.report.resumed


def _reason(error: trunkline.GatewayError) -> str:
    return ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_").lower()
