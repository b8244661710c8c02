"""What can become of a request, each as providers that make it so and a client that asks, for looking at its telemetry."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import grpc

import trunkline
from running_gateway import RunningGateway, settings_for
from trunkline.context import CallContext
from trunkline.v1 import CompleteRequest
from trunkline_server.config.settings import Settings
from upstream import Answer, Script, Upstream, answers, chunk, fails, hangs, in_turn, running_upstream

TRACE_ID, CALLER_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{CALLER_ID}-01"
PROMPT = "canary-prompt-a1b2c3"
ANSWER = "canary-answer-d4e5f6"

Surface = Literal["REST", "gRPC"]


async def calls_a_tool(answer: Answer) -> None:
    """Streams a tool call in crumbs."""
    await answer.start_stream()
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": ""}}
    await answer.frame(chunk({"role": "assistant", "tool_calls": [call]}))
    for crumb in ('{"city":', f'"{ANSWER}"}}'):
        await answer.frame(chunk({"tool_calls": [{"index": 0, "function": {"arguments": crumb}}]}))
    await answer.frame(chunk({}, finish_reason="tool_calls"))
    await answer.frame({**chunk({}), "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}})
    await answer.frame(b"[DONE]")
    await answer.end_stream()


async def breaks_off(answer: Answer) -> None:
    """Says two words and hangs up."""
    await answer.start_stream()
    await answer.frame(chunk({"role": "assistant", "content": f"{ANSWER} "}))
    await answer.frame(chunk({"content": "two "}))
    await asyncio.sleep(0.05)
    answer.hang_up()


@dataclass(frozen=True)
class Case:
    """One way that a request may go."""

    upstreams: Callable[[], Sequence[Script]]
    """Makes those of the providers "a", "b", …, tried in this order: anew each time, because a script may remember."""
    stream: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    continuation: str = "prefill"
    tools: bool = False
    leave: bool = False
    """The client leaves once the provider has been called."""


CASES = {
    "plain": Case(lambda: [answers(ANSWER)]),
    "stream": Case(lambda: [answers(f"{ANSWER} two three")], stream=True),
    "tool_call": Case(lambda: [calls_a_tool], stream=True, tools=True),
    "retry": Case(
        lambda: [in_turn(fails(500, {"message": ANSWER}), answers(ANSWER))],
        settings={"retries": {"max_retries": 1, "backoff_s": 0.01}},
    ),
    "fallback": Case(lambda: [fails(500, {"message": ANSWER}), answers(ANSWER)]),
    "resume": Case(
        lambda: [breaks_off, answers(f"{ANSWER} two three")],
        stream=True,
        continuation="restart",
    ),
    "cancel": Case(lambda: [hangs()], leave=True),
    "timeout": Case(lambda: [hangs()], settings={"timeouts": {"total_s": 0.3}}),
    "silent": Case(lambda: [hangs(), answers(ANSWER)], stream=True, settings={"timeouts": {"first_token_s": 0.2}}),
    "error": Case(lambda: [fails(400, {"message": f"no {ANSWER}"})]),
    "stream_breaks_off": Case(lambda: [breaks_off], stream=True),
}


def settings_of(case: Case, urls: Mapping[str, str], **more: Any) -> Settings:  # noqa: ANN401 as settings_for takes it
    """A configuration in which model "m" goes to the case's providers."""
    settings = settings_for(urls, **more, **case.settings)
    model = settings.models["m"].model_copy(update={"continuation": case.continuation})
    return settings.model_copy(update={"models": {"m": model}})


class Providers:
    """The providers of a case, running."""

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self.upstreams = upstreams

    @property
    def urls(self) -> dict[str, str]:
        """By name."""
        return {"ab"[index]: upstream.base_url for index, upstream in enumerate(self.upstreams)}


async def providers_of(case: Case, stack: AsyncExitStack) -> Providers:
    """Starts them; they end with the stack."""
    return Providers([await stack.enter_async_context(running_upstream(script)) for script in case.upstreams()])


async def play(case: Case, surface: Surface, gateway: RunningGateway, providers: Providers, key: str = "") -> None:
    """Asks as the case says, whatever comes of it."""
    ask = _by_rest if surface == "REST" else _by_grpc
    task = asyncio.ensure_future(ask(case, gateway, key))
    if case.leave:
        await providers.upstreams[0].wait_for_calls(1)
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await _settled(lambda: bool(gateway.ledger.records))
    await _settled(lambda: gateway.core.engine.admission.requests == 0)


async def _settled(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            break
        await asyncio.sleep(0.005)
    assert holds()
    # Spans of surfaces are made right after that.
    await asyncio.sleep(0.02)


async def _by_rest(case: Case, gateway: RunningGateway, key: str) -> None:
    headers = {"traceparent": TRACEPARENT, "authorization": f"Bearer {key}"}
    body: dict[str, Any] = {
        "model": "m",
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": case.stream,
    }
    if case.stream:
        body |= {"temperature": 0.5, "max_completion_tokens": 100, "stop": [PROMPT]}
    if case.tools:
        body["tools"] = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{gateway.rest_url}/chat/completions", json=body) as response,
    ):
        await response.read()


async def _by_grpc(case: Case, gateway: RunningGateway, key: str) -> None:
    request = CompleteRequest(model="m", prompt=PROMPT)
    if case.stream:
        request.temperature, request.max_output_tokens = 0.5, 100
        request.stop.append(PROMPT)
    if case.tools:
        request.tools.add(name="look_up", parameters='{"type":"object"}')
    async with trunkline.AsyncClient(gateway.grpc_address, api_key=key) as client:
        context = CallContext(traceparent=TRACEPARENT)
        with suppress(trunkline.GatewayError, grpc.RpcError):
            if case.stream:
                async with client.stream(request, context=context) as events:
                    async for _ in events:
                        pass
            else:
                await client.complete(request, context=context)
