"""Answers that a provider pauses are gone on with until they end, and are one answer to their callers."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from running_gateway import RunningGateway, running_gateway, settings_for
from trunkline import AsyncClient
from trunkline.answer import AnswerBuilder
from trunkline.errors import GatewayError, ProviderUnavailableError
from trunkline.v1 import AttemptOutcome, CompleteRequest, CompleteResponse, FinishReason, ServerTool, Tool
from trunkline_server.engine.pauses import MAX_PAUSES
from upstream import Answer, Upstream, in_turn, running_upstream

Script = Callable[[Answer], Awaitable[None]]
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
TEXT = {"type": "text", "text": "I search."}
FOUND = {"type": "text", "text": "Found."}
ANSWERED, FAILED = AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED, AttemptOutcome.ATTEMPT_OUTCOME_FAILED


def request_for(*, tools: bool = True) -> CompleteRequest:
    request = CompleteRequest(model="m", prompt="What is new?")
    if tools:
        request.tools.append(Tool(server=ServerTool(dialect="anthropic", type="web_search_20260318")))
    return request


def says(reason: str, *blocks: dict[str, Any]) -> Script:
    """Answers with these blocks, in the way that it is asked for."""
    usage = {"input_tokens": 10, "output_tokens": 5, "server_tool_use": {"web_search_requests": 1}}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5"}

    async def script(answer: Answer) -> None:
        if not answer.call.json["stream"]:
            await answer.json({**head, "content": blocks, "stop_reason": reason, "usage": usage})
            return
        await answer.start_stream()
        await answer.frame({"type": "message_start", "message": {**head, "content": [], "usage": usage}})
        for index, block in enumerate(blocks):
            await answer.frame({"type": "content_block_start", "index": index, "content_block": block})
            await answer.frame({"type": "content_block_stop", "index": index})
        await answer.frame({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage})
        await answer.frame({"type": "message_stop"})
        await answer.end_stream()

    return script


async def overloaded(answer: Answer) -> None:
    await answer.json({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, status=529)


async def asked(
    request: CompleteRequest, *scripts: Script, stream: bool, retries: int = 0
) -> tuple[CompleteResponse | GatewayError, Upstream, RunningGateway]:
    """What the client gets, and who said what."""
    async with running_upstream(in_turn(*scripts)) as upstream:
        settings = settings_for(
            {},
            models={"m": ["a/claude-opus-5"]},
            providers={"a": {"kind": "anthropic", "base_url": upstream.base_url, "api_key": "sk-a"}},
            retries={"max_retries": retries, "backoff_s": 0.001},
        )
        async with running_gateway(settings) as gateway, AsyncClient(gateway.grpc_address) as client:
            found: CompleteResponse | GatewayError
            try:
                if stream:
                    builder = AnswerBuilder()
                    async for event in client.stream(request):
                        builder.add_event(event)
                    found = builder.response()
                else:
                    found = await client.complete(request)
            except GatewayError as error:
                found = error
            assert gateway.core.engine.admission.requests == 0
        return found, upstream, gateway


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_answer_that_pauses_twice_is_one_answer(*, stream: bool) -> None:
    pauses = says("pause_turn", TEXT, SEARCH)
    answer, upstream, gateway = await asked(
        request_for(), pauses, says("pause_turn", SEARCH), says("end_turn", FOUND), stream=stream
    )
    assert isinstance(answer, CompleteResponse)
    [choice] = answer.choices
    assert choice.finish_reason == FinishReason.FINISH_REASON_STOP
    kinds = [part.WhichOneof("content") for part in choice.message.parts]
    assert kinds == ["text", "server_tool_call", "server_tool_call", "text"]
    assert "".join(part.text for part in choice.message.parts) == "I search.Found."
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (30, 15)
    assert dict(answer.usage.server_tool_calls) == {"web_search_requests": 3}
    assert [attempt.outcome for attempt in answer.report.attempts] == [ANSWERED] * 3
    assert not answer.report.resumed
    assert answer.id
    turns = [[turn["role"] for turn in call.json["messages"]] for call in upstream.calls]
    assert turns == [["user"], ["user", "assistant"], ["user", "assistant"]]
    assert upstream.calls[1].json["messages"][1]["content"] == [TEXT, SEARCH]
    assert upstream.calls[2].json["messages"][1]["content"] == [TEXT, SEARCH, SEARCH]
    [record] = gateway.ledger.records
    assert record.finish_reasons == ["stop"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_answer_that_never_ends_is_given_as_far_as_it_came(*, stream: bool) -> None:
    answer, upstream, _ = await asked(
        request_for(), *[says("pause_turn", SEARCH)] * (MAX_PAUSES + 1), says("end_turn", FOUND), stream=stream
    )
    assert isinstance(answer, CompleteResponse)
    [choice] = answer.choices
    assert (choice.finish_reason, choice.native_finish_reason) == (FinishReason.FINISH_REASON_PAUSED, "pause_turn")
    assert len(choice.message.parts) == len(upstream.calls) == MAX_PAUSES + 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_pause_that_nobody_asked_for_is_told(*, stream: bool) -> None:
    answer, upstream, _ = await asked(request_for(tools=False), says("pause_turn", TEXT), stream=stream)
    assert isinstance(answer, CompleteResponse)
    assert answer.choices[0].finish_reason == FinishReason.FINISH_REASON_PAUSED
    assert len(upstream.calls) == 1


async def test_a_stream_that_cannot_go_on_after_a_pause_fails() -> None:
    error, upstream, gateway = await asked(
        request_for(), says("pause_turn", SEARCH), overloaded, stream=True, retries=1
    )
    assert isinstance(error, ProviderUnavailableError)
    assert len(upstream.calls) == 2
    [record] = gateway.ledger.records
    assert [attempt.outcome for attempt in record.report.attempts] == [ANSWERED, FAILED]


async def test_a_whole_answer_that_cannot_go_on_after_a_pause_is_asked_for_anew() -> None:
    answer, upstream, _ = await asked(
        request_for(),
        says("pause_turn", TEXT, SEARCH),
        overloaded,
        says("end_turn", FOUND),
        stream=False,
        retries=1,
    )
    assert isinstance(answer, CompleteResponse)
    assert [part.text for part in answer.choices[0].message.parts] == ["Found."]
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 5)
    assert [len(call.json["messages"]) for call in upstream.calls] == [1, 2, 1]
    assert [attempt.outcome for attempt in answer.report.attempts] == [ANSWERED, FAILED, ANSWERED]
