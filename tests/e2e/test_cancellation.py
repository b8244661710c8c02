"""Whoever leaves, and whenever: the provider's socket is closed at once and nothing is left behind."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import grpc
import pytest

import trunkline
from grpc_serving import count_tasks
from openai_client import HELLO, openai_client
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from trunkline.errors import CancelledByCallerError, DeadlineError
from trunkline.v1 import AttemptOutcome, CompleteRequest, ErrorReason, Event
from upstream import Answer, Upstream, chunk, hangs, running_upstream, streams

Script = Callable[[Answer], Awaitable[None]]


async def silent_stream(answer: Answer) -> None:
    """Headers and a role, but no token."""
    await answer.start_stream()
    await answer.frame(chunk({"role": "assistant", "content": ""}))
    await asyncio.Event().wait()


PHASES: dict[str, Script] = {
    "before headers": hangs(),
    "before the first token": silent_stream,
    "mid-stream": streams(["word"], pause_s=0.005, forever=True),
}


@pytest.fixture(params=PHASES)
async def upstream(request: pytest.FixtureRequest) -> AsyncIterator[Upstream]:
    async with running_upstream(PHASES[request.param]) as upstream:
        upstream.phase = request.param
        yield upstream


def is_ours(task: asyncio.Task[object]) -> bool:
    """Whether it runs Python code: gRPC keeps a task of its own that waits for the next call, new after each."""
    return inspect.iscoroutine(task.get_coro())


async def nothing_is_left(gateway: RunningGateway, upstream: Upstream, tasks: set[asyncio.Task[object]]) -> None:
    """Sockets, tasks, admission and the connection pool are as before the request."""
    await upstream.wait_until_idle()
    assert upstream.calls[0].closed.is_set()
    async with asyncio.timeout(3):
        while (left := asyncio.all_tasks() - tasks) and (
            any(is_ours(task) for task in left) or count_tasks(asyncio.all_tasks()) > count_tasks(tasks)
        ):
            await asyncio.wait(left, timeout=0.02, return_when=asyncio.FIRST_COMPLETED)
    admission = gateway.core.engine.admission
    assert (admission.requests, admission.size_bytes) == (0, 0)
    connector = gateway.core.http.session.connector
    assert connector is not None
    assert not connector._acquired


def only_record(gateway: RunningGateway, outcome: "AttemptOutcome.ValueType", reason: "ErrorReason.ValueType") -> None:
    """There is one entry, it says how the request ended, and what was used is not zero by accident."""
    (record,) = gateway.ledger.records
    (attempt,) = record.report.attempts
    assert record.failure is not None
    assert (attempt.outcome, record.failure.reason) == (outcome, reason)
    if record.report.HasField("first_token_us"):
        assert record.usage is not None
        assert record.usage.estimated
        assert record.usage.output_tokens > 0


CANCELLED = AttemptOutcome.ATTEMPT_OUTCOME_CANCELLED, ErrorReason.ERROR_REASON_CANCELLED
TIMED_OUT = AttemptOutcome.ATTEMPT_OUTCOME_TIMED_OUT, ErrorReason.ERROR_REASON_DEADLINE


async def reached(upstream: Upstream, lines: AsyncIterator[object] | None) -> None:
    """Waits until the request is in the phase that the test is about."""
    await upstream.wait_for_calls(1)
    if upstream.phase == "mid-stream" and lines is not None:
        await anext(lines)
    await asyncio.sleep(0.02)


async def read_to_the_end(events: AsyncIterator[Event]) -> None:
    """Takes all events."""
    async for _ in events:
        pass


@pytest.mark.parametrize("form", FORMS)
async def test_a_rest_client_that_leaves_cancels_the_provider(form: Form, upstream: Upstream) -> None:
    async with running_gateway(settings_for({"a": upstream.base_url}), form=form) as gateway:
        tasks = asyncio.all_tasks()
        async with aiohttp.ClientSession() as session:
            body = {"model": "m", "messages": HELLO, "stream": True}
            asking = asyncio.ensure_future(session.post(f"{gateway.rest_url}/chat/completions", json=body))
            if upstream.phase == "mid-stream":
                response = await asking
                await reached(upstream, response.content.iter_any())
                response.close()
            else:
                await reached(upstream, None)
                asking.cancel()
                await asyncio.wait((asking,))
        await nothing_is_left(gateway, upstream, tasks)
        only_record(gateway, *CANCELLED)


@pytest.mark.parametrize("form", FORMS)
async def test_a_rest_client_that_leaves_a_whole_answer_cancels_the_provider(form: Form) -> None:
    async with (
        running_upstream(hangs()) as upstream,
        running_gateway(settings_for({"a": upstream.base_url}), form=form) as gateway,
    ):
        tasks = asyncio.all_tasks()
        async with openai_client(gateway) as client:
            asking = asyncio.ensure_future(client.chat.completions.create(model="m", messages=HELLO))
            await upstream.wait_for_calls(1)
            asking.cancel()
            await asyncio.wait((asking,))
        await nothing_is_left(gateway, upstream, tasks)
        only_record(gateway, *CANCELLED)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_grpc_client_that_cancels_cancels_the_provider(streamed: bool, upstream: Upstream) -> None:
    async with running_gateway(settings_for({"a": upstream.base_url})) as gateway:
        async with trunkline.AsyncClient(gateway.grpc_address) as client:
            tasks = asyncio.all_tasks()
            request = CompleteRequest(model="m", prompt="Hi")
            if streamed:
                async with client.stream(request) as events:
                    if upstream.phase == "mid-stream":
                        await anext(aiter(events))
                    else:
                        reading = asyncio.ensure_future(anext(aiter(events)))
                        await reached(upstream, None)
                        reading.cancel()
                        await asyncio.wait((reading,))
            else:
                asking = asyncio.ensure_future(client.complete(request))
                await reached(upstream, None)
                asking.cancel()
                await asyncio.wait((asking,))
            await nothing_is_left(gateway, upstream, tasks)
        only_record(gateway, *CANCELLED)


@pytest.mark.parametrize("form", FORMS)
async def test_a_deadline_over_rest_ends_the_request(form: Form, upstream: Upstream) -> None:
    async with running_gateway(settings_for({"a": upstream.base_url}), form=form) as gateway:
        tasks = asyncio.all_tasks()
        async with aiohttp.ClientSession() as session:
            body = {"model": "m", "messages": HELLO, "stream": True}
            response = await session.post(
                f"{gateway.rest_url}/chat/completions", json=body, headers={"x-request-timeout-ms": "150"}
            )
            text = await response.text()
        if upstream.phase == "mid-stream":
            assert response.status == 200
            assert "deadline" in text.splitlines()[-2]
            assert "[DONE]" not in text
        else:
            assert response.status == 504
        await nothing_is_left(gateway, upstream, tasks)
        record = gateway.ledger.records[0]
        assert record.report.attempts[0].outcome in (TIMED_OUT[0], CANCELLED[0])  # whichever clock rang first
        assert record.usage is not None if upstream.phase == "mid-stream" else record.usage is None


async def test_a_deadline_over_grpc_ends_the_request(upstream: Upstream) -> None:
    async with (
        running_gateway(settings_for({"a": upstream.base_url})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        tasks = asyncio.all_tasks()
        async with client.stream(CompleteRequest(model="m", prompt="Hi"), timeout_s=0.15) as events:
            with pytest.raises(DeadlineError):
                await read_to_the_end(events)
        await nothing_is_left(gateway, upstream, tasks)


async def test_the_gateways_own_deadline_is_told_to_both(upstream: Upstream) -> None:
    settings = settings_for({"a": upstream.base_url}, timeouts={"total_s": 0.15})
    async with running_gateway(settings) as gateway, trunkline.AsyncClient(gateway.grpc_address) as client:
        tasks = asyncio.all_tasks()
        with pytest.raises(DeadlineError) as caught:
            await client.complete(CompleteRequest(model="m", prompt="Hi"))
        assert caught.value.report is not None
        assert len(caught.value.report.attempts) == 1
        await nothing_is_left(gateway, upstream, tasks)
        only_record(gateway, *TIMED_OUT)


async def test_a_client_that_vanishes_without_a_word_cancels_the_provider() -> None:
    async with (
        running_upstream(PHASES["mid-stream"]) as upstream,
        running_gateway(settings_for({"a": upstream.base_url})) as gateway,
    ):
        channel = grpc.aio.insecure_channel(gateway.grpc_address)
        call = trunkline.v1.CompletionServiceStub(channel).StreamComplete(
            trunkline.v1.StreamCompleteRequest(request=CompleteRequest(model="m", prompt="Hi"))
        )
        await call.read()
        await channel.close()
        await upstream.wait_until_idle()
        assert upstream.calls[0].closed.is_set()


async def test_the_error_of_a_cancelled_call_is_typed() -> None:
    async with (
        running_upstream(PHASES["mid-stream"]) as upstream,
        running_gateway(settings_for({"a": upstream.base_url})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        stream = client.stream(CompleteRequest(model="m", prompt="Hi"))
        async with stream as events:
            await anext(aiter(events))
        with pytest.raises(CancelledByCallerError):
            await stream.answer()
