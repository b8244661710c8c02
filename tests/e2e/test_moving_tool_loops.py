"""Tool loops move between providers of all wire languages midway, whatever of an answer their clients send back."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from typing import Any

import pytest

from openai_client import openai_client
from running_gateway import RunningGateway, running_gateway, settings_for
from speakers import FINAL, SPEAKERS, STEPS, TOOL, Speaker
from trunkline import AsyncClient
from trunkline.v1 import AttemptOutcome, CompleteRequest, Message, ReasoningEffort, Role
from upstream import Answer, running_upstream

Json = dict[str, Any]
TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": TOOL, "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
]
PAIRS = list(product(SPEAKERS, SPEAKERS))

# What of an assistant's message a client sends back.
MANNERS: dict[str, Callable[[Json], Json]] = {
    "all of it": lambda message: message,
    "standard members": lambda message: {
        name: value for name, value in message.items() if name in ("role", "content", "tool_calls")
    },
    "calls alone": lambda message: {"role": "assistant", "content": None, "tool_calls": message["tool_calls"]},
}


class Stage:
    """The step that the loop is at, which providers answer by."""

    step = 0


@asynccontextmanager
async def gateway_of(names: Sequence[str], stage: Stage) -> AsyncIterator[RunningGateway]:
    """A gateway before these providers, each of which refuses what breaks its rules."""

    def script_of(speaker: Speaker) -> Callable[[Answer], Any]:
        async def script(answer: Answer) -> None:
            body = answer.call.json
            if found := speaker.complaints(body):
                await answer.json({"error": {"message": "; ".join(found), "type": "invalid_request_error"}}, 400)
            elif body.get("stream") or "stream" in answer.call.path.lower():
                await answer.start_stream()
                await answer.piece(speaker.stream(stage.step))
                await answer.end_stream()
            else:
                await answer.json(speaker.answer(stage.step))

        return script

    async with AsyncExitStack() as stack:
        providers: Json = {}
        for name in dict.fromkeys(names):
            speaker = SPEAKERS[name]
            upstream = await stack.enter_async_context(running_upstream(script_of(speaker)))
            providers[name] = {"kind": speaker.kind, "base_url": upstream.base_url, "api_key": f"sk-{name}"}
        models = {name: [f"{name}/{SPEAKERS[name].model}"] for name in providers}
        settings = settings_for({}, models=models, providers=providers)
        yield await stack.enter_async_context(running_gateway(settings))


def results_of(call_ids: Sequence[str]) -> list[Json]:
    return [{"role": "tool", "tool_call_id": call_id, "content": "sunny"} for call_id in call_ids]


def all_answered(gateway: RunningGateway) -> bool:
    outcomes = [attempt.outcome for record in gateway.ledger.records for attempt in record.report.attempts]
    return set(outcomes) == {AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED}


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_the_openai_sdk_moves_a_loop(first: str, second: str, manner: str) -> None:
    stage = Stage()
    async with gateway_of([first, second], stage) as gateway, openai_client(gateway) as client:
        messages: list[Any] = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is the weather?"},
        ]
        said = ""
        for stage.step, model in enumerate([first, second, first]):
            answer = await client.chat.completions.create(
                model=model,
                messages=messages,
                tools=TOOLS,
                reasoning_effort="high",
                temperature=0.5,
                max_completion_tokens=8000,
            )
            message = answer.choices[0].message
            said = message.content or ""
            if message.tool_calls:
                messages.append(MANNERS[manner](message.model_dump(exclude_none=True)))
                messages += results_of([call.id for call in message.tool_calls])
        assert said == FINAL
        assert all_answered(gateway)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_a_grpc_client_moves_a_loop(*, first: str, second: str, stream: bool) -> None:
    stage = Stage()
    async with gateway_of([first, second], stage) as gateway, AsyncClient(gateway.grpc_address) as client:
        request = CompleteRequest(temperature=0.5, max_output_tokens=8000)
        request.reasoning.effort = ReasoningEffort.REASONING_EFFORT_HIGH
        request.tools.add(name=TOOL, parameters='{"type":"object","properties":{"city":{"type":"string"}}}')
        request.messages.add(role=Role.ROLE_SYSTEM).parts.add(text="Be brief.", cache_ttl_s=300)
        request.messages.add(role=Role.ROLE_USER).parts.add(text="What is the weather?")
        message = Message()
        for stage.step, model in enumerate([first, second, first]):
            request.model = model
            answer = await (client.stream(request).answer() if stream else client.complete(request))
            message = answer.choices[0].message
            request.messages.append(message)
            if stage.step + 1 < len(STEPS):
                results = request.messages.add(role=Role.ROLE_TOOL)
                for call_id in [part.tool_call.id for part in message.parts if part.HasField("tool_call")]:
                    results.parts.add().tool_result.call_id = call_id
                    results.parts[-1].tool_result.parts.add(text="sunny")
        assert "".join(part.text for part in message.parts) == FINAL
        assert all_answered(gateway)
