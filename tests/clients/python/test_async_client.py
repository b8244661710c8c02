"""The asyncio client against a real server."""

import asyncio
import time

import pytest

from grpc_serving import becomes_true, no_task_left_behind, served
from scripted_gateway import Batches, ScriptedGateway, batches_of, breaks_off, hangs_after, refuses
from trunkline import AsyncClient, CallContext, CompleteRequest, errors, text_of
from trunkline.secret import Secret
from trunkline.v1 import Event, RoutingReport, StreamCompleteResponse

REQUEST = CompleteRequest(model="m", prompt="p")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_five_lines_are_enough() -> None:
    async with served(ScriptedGateway()) as address, AsyncClient(address) as client:
        assert await client.ask("m", "p") == "Hello there"


async def test_a_whole_answer() -> None:
    gateway = ScriptedGateway()
    async with served(gateway) as address, AsyncClient(address) as client:
        answer = await client.complete(REQUEST)
    assert text_of(answer) == "Hello there"
    assert answer.usage.output_tokens == 2
    assert gateway.requests == [REQUEST]


async def test_a_stream_is_its_events_one_by_one() -> None:
    async with served(ScriptedGateway()) as address, AsyncClient(address) as client, client.stream(REQUEST) as answer:
        events = [event async for event in answer]
    assert events == [event for batch in batches_of("Hello ", "there") for event in batch.events]


async def test_signs_of_life_are_no_events_of_the_answer() -> None:
    async def slow(request: CompleteRequest) -> Batches:
        for batch in batches_of("Hello ", "there"):
            await asyncio.sleep(0.06)
            yield batch

    async with (
        served(ScriptedGateway(slow), heartbeat_s=0.02) as address,
        AsyncClient(address) as client,
        client.stream(REQUEST) as answer,
    ):
        events = [event async for event in answer]
        assert text_of(await answer.answer()) == "Hello there"
    assert events == [event for batch in batches_of("Hello ", "there") for event in batch.events]


async def test_a_streams_texts_are_those_of_the_first_choice() -> None:
    async def two_choices(request: CompleteRequest) -> Batches:
        yield StreamCompleteResponse(
            events=[Event(text="Hel"), Event(choice=1, text="x"), Event(reasoning="hm"), Event(text="lo")]
        )
        yield batches_of()[-1]

    gateway = ScriptedGateway(two_choices)
    async with served(gateway) as address, AsyncClient(address) as client, client.stream(REQUEST) as answer:
        assert [piece async for piece in answer.texts()] == ["Hel", "lo"]


@pytest.mark.parametrize("read_before", [0, 1, 3, 7])
async def test_the_whole_answer_is_there_at_the_end(read_before: int) -> None:
    async with served(ScriptedGateway()) as address, AsyncClient(address) as client:
        whole = await client.complete(REQUEST)
        async with client.stream(REQUEST) as answer:
            for _ in range(read_before):
                await anext(answer)
            assert await answer.answer() == whole
            assert await answer.answer() is await answer.answer()


async def test_a_fragment_is_never_taken_for_an_answer() -> None:
    error = errors.ProviderSilentError("silent")
    error.report = RoutingReport(route="fast")
    gateway = ScriptedGateway(breaks_off(error, "Hel"))
    async with served(gateway) as address, AsyncClient(address) as client, client.stream(REQUEST) as answer:
        for _ in range(2):
            with pytest.raises(errors.ProviderSilentError) as caught:
                await answer.answer()
            assert caught.value.to_failure() == error.to_failure()
            assert caught.value.report == error.report


async def test_a_failed_event_comes_before_the_error() -> None:
    error = errors.ProviderSilentError("silent")
    async with served(ScriptedGateway(breaks_off(error, "Hel"))) as address, AsyncClient(address) as client:
        stream = client.stream(REQUEST)
        events = [await anext(stream) for _ in range(4)]
        with pytest.raises(errors.ProviderSilentError):
            await anext(stream)
    assert events[-1].failed.failure == error.to_failure()


async def test_leaving_a_stream_cancels_the_call() -> None:
    gateway = ScriptedGateway(hangs_after(*batches_of("Hel")[:2]))
    async with served(gateway) as address, AsyncClient(address) as client, no_task_left_behind():
        async with client.stream(REQUEST) as answer:
            async for event in answer:
                if event.text:
                    break
        await asyncio.wait_for(gateway.ended.wait(), 1)
        with pytest.raises(errors.CancelledByCallerError, match="closed before the answer was finished"):
            await answer.answer()
    assert gateway.endings == ["left"]


async def test_cancelling_the_task_cancels_the_call() -> None:
    gateway = ScriptedGateway(hangs_after())
    async with served(gateway) as address, AsyncClient(address) as client, no_task_left_behind():
        task = asyncio.create_task(client.complete(REQUEST))
        await gateway.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gateway.ended.wait(), 1)


async def test_asyncios_own_timeout_works_as_well() -> None:
    gateway = ScriptedGateway(hangs_after())
    async with served(gateway) as address, AsyncClient(address) as client, no_task_left_behind():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.complete(REQUEST)
        await asyncio.wait_for(gateway.ended.wait(), 1)


async def test_what_the_client_is_made_with_counts_for_each_call() -> None:
    gateway = ScriptedGateway(key="sk-1")
    async with served(gateway) as address, AsyncClient(address, api_key="sk-1", timeout_s=20) as client:
        await client.complete(REQUEST)
        await client.complete(REQUEST, timeout_s=5, request_id="mine")
        await client.ask("m", "p", timeout_s=5)
        async with client.stream(REQUEST, timeout_s=5, request_id="mine") as answer:
            await answer.answer()
        assert [model.id for model in await client.models()] == ["a", "b", "c"]
        assert (await client.model("b")).id == "b"
        assert [state.target for state in await client.targets()] == ["a/m"]
        assert (await client.count_tokens(REQUEST)).input_tokens == 7
    now = time.monotonic()
    limits = [round(context.deadline - now) for context in gateway.contexts if context.deadline is not None]
    assert limits == [20, 5, 5, 5, 20, 20, 20, 20, 20]
    ids = [context.request_id for context in gateway.contexts]
    assert [ids[1], ids[3]] == ["mine", "mine"]


async def test_a_calls_own_context_counts_before_the_clients() -> None:
    gateway = ScriptedGateway()
    own = CallContext(
        request_id="own",
        credential=Secret("sk-own"),
        deadline=time.monotonic() + 3,
        traceparent=TRACEPARENT,
        strict=True,
    )
    async with served(gateway) as address, AsyncClient(address, api_key="sk-1", timeout_s=20) as client:
        await client.complete(REQUEST, context=own)
        await client.complete(REQUEST, request_id="mine", context=CallContext(traceparent=TRACEPARENT))
    first, second = gateway.contexts
    assert (first.request_id, first.credential, first.traceparent, first.strict) == (
        "own",
        Secret("sk-own"),
        TRACEPARENT,
        True,
    )
    assert first.deadline == pytest.approx(own.deadline, abs=0.5)
    assert (second.request_id, second.credential, second.traceparent) == ("mine", Secret("sk-1"), TRACEPARENT)


async def test_a_timeout_is_a_deadline_error() -> None:
    gateway = ScriptedGateway(hangs_after())
    async with served(gateway) as address, AsyncClient(address, timeout_s=0.05) as client:
        with pytest.raises(errors.DeadlineError):
            await client.complete(REQUEST)
        with pytest.raises(errors.DeadlineError):
            await client.stream(REQUEST).answer()
        assert await becomes_true(lambda: len(gateway.endings) == 2)


async def test_failures_are_typed_and_know_their_request() -> None:
    error = errors.RateLimitedError("slow down", retry_after_ms=1500)
    async with served(ScriptedGateway(refuses(error))) as address, AsyncClient(address) as client:
        with pytest.raises(errors.RateLimitedError) as caught:
            await client.complete(REQUEST, request_id="mine")
    assert (caught.value.retry_after_ms, caught.value.request_id) == (1500, "mine")


async def test_a_wrong_key_is_a_bad_key() -> None:
    async with served(ScriptedGateway(key="sk-1")) as address, AsyncClient(address, api_key="sk-2") as client:
        with pytest.raises(errors.BadKeyError):
            await client.models()
        with pytest.raises(errors.BadKeyError):
            await client.ask("m", "p")


async def test_an_unknown_model_is_not_found() -> None:
    async with served(ScriptedGateway()) as address, AsyncClient(address) as client:
        with pytest.raises(errors.NotFoundError):
            await client.model("nothing")


async def test_nobody_there_says_where(free_port: int) -> None:
    async with AsyncClient(f"127.0.0.1:{free_port}") as client:
        assert not await client.ready()
        with pytest.raises(errors.GatewayUnreachableError, match=str(free_port)):
            await client.ask("m", "p")


async def test_readiness_is_the_gateways() -> None:
    async with served(ScriptedGateway()) as address, AsyncClient(address) as client:
        assert await client.ready()


async def test_a_clear_text_gateway_is_no_tls_gateway() -> None:
    async with served(ScriptedGateway()) as address, AsyncClient(address, tls=True) as client:
        with pytest.raises(errors.GatewayUnreachableError, match="TLS"):
            await client.ask("m", "p")


def test_it_is_made_inside_a_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncClient()


async def test_many_at_once_share_a_connection() -> None:
    gateway = ScriptedGateway()
    async with served(gateway) as address, AsyncClient(address) as client, no_task_left_behind():
        answers = await asyncio.gather(*(client.ask("m", str(number)) for number in range(100)))
    assert answers == ["Hello there"] * 100
    assert len({request.prompt for request in gateway.requests}) == 100
