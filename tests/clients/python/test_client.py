"""The blocking client against a real server, each call in a thread beside the server's loop."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

from grpc_serving import becomes_true, no_task_left_behind, served
from scripted_gateway import Batches, ScriptedGateway, batches_of, breaks_off, hangs_after, refuses
from trunkline import CallContext, Client, CompleteRequest, errors, text_of
from trunkline.secret import Secret
from trunkline.v1 import Event

T = TypeVar("T")

REQUEST = CompleteRequest(model="m", prompt="p")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def with_client(
    address: str, use: Callable[[Client], T], *, api_key: str = "", timeout_s: float | None = None
) -> T:
    """Uses a client in a thread."""

    def run() -> T:
        with Client(address, api_key=api_key, timeout_s=timeout_s) as client:
            return use(client)

    return await asyncio.to_thread(run)


async def test_five_lines_are_enough() -> None:
    async with served(ScriptedGateway()) as address:
        assert await with_client(address, lambda client: client.ask("m", "p")) == "Hello there"


async def test_a_whole_answer() -> None:
    gateway = ScriptedGateway()
    async with served(gateway) as address:
        answer = await with_client(address, lambda client: client.complete(REQUEST))
    assert text_of(answer) == "Hello there"
    assert gateway.requests == [REQUEST]


async def test_a_stream_is_its_events_one_by_one() -> None:
    def read(client: Client) -> list[Event]:
        with client.stream(REQUEST) as answer:
            return list(answer)

    async with served(ScriptedGateway()) as address:
        events = await with_client(address, read)
    assert events == [event for batch in batches_of("Hello ", "there") for event in batch.events]


async def test_signs_of_life_are_no_events_of_the_answer() -> None:
    async def slow(request: CompleteRequest) -> Batches:
        for batch in batches_of("Hello ", "there"):
            await asyncio.sleep(0.06)
            yield batch

    def read(client: Client) -> list[Event]:
        with client.stream(REQUEST) as answer:
            events = list(answer)
            assert text_of(answer.answer()) == "Hello there"
            return events

    async with served(ScriptedGateway(slow), heartbeat_s=0.02) as address:
        events = await with_client(address, read)
    assert events == [event for batch in batches_of("Hello ", "there") for event in batch.events]


async def test_texts_and_the_whole_answer() -> None:
    def read(client: Client) -> None:
        whole = client.complete(REQUEST)
        with client.stream(REQUEST) as answer:
            assert list(answer.texts()) == ["Hello ", "there"]
            assert answer.answer() == whole
            assert answer.answer() is answer.answer()
        with client.stream(REQUEST) as answer:
            next(answer)
            assert answer.answer() == whole

    async with served(ScriptedGateway()) as address:
        await with_client(address, read)


async def test_a_fragment_is_never_taken_for_an_answer() -> None:
    error = errors.ProviderSilentError("silent")

    def read(client: Client) -> None:
        with client.stream(REQUEST) as answer:
            events = [next(answer) for _ in range(4)]
            assert events[-1].failed.failure == error.to_failure()
            for _ in range(2):
                with pytest.raises(errors.ProviderSilentError) as caught:
                    answer.answer()
                assert caught.value.to_failure() == error.to_failure()

    async with served(ScriptedGateway(breaks_off(error, "Hel"))) as address:
        await with_client(address, read)


async def test_leaving_a_stream_cancels_the_call() -> None:
    gateway = ScriptedGateway(hangs_after(*batches_of("Hel")[:2]))

    def leave(client: Client) -> None:
        with client.stream(REQUEST) as answer:
            assert next(answer.texts()) == "Hel"
        with pytest.raises(errors.CancelledByCallerError):
            answer.answer()

    async with served(gateway) as address, no_task_left_behind():
        await with_client(address, leave)
        await asyncio.wait_for(gateway.ended.wait(), 1)
    assert gateway.endings == ["left"]


@pytest.mark.parametrize("how", ["stream", "client"])
async def test_another_thread_may_close_what_one_waits_for(how: str) -> None:
    gateway = ScriptedGateway(hangs_after(*batches_of("Hel")[:2]))

    def wait(client: Client) -> None:
        answer = client.stream(REQUEST)
        closing = threading.Timer(0.1, answer.close if how == "stream" else client.close)
        closing.start()
        with pytest.raises(errors.CancelledByCallerError):
            list(answer)
        closing.join()

    async with served(gateway) as address, no_task_left_behind():
        await with_client(address, wait)
        await asyncio.wait_for(gateway.ended.wait(), 1)
    assert gateway.endings == ["left"]


async def test_closing_the_client_ends_a_whole_answer_that_another_thread_waits_for() -> None:
    gateway = ScriptedGateway(hangs_after())

    def wait(client: Client) -> None:
        closing = threading.Timer(0.1, client.close)
        closing.start()
        with pytest.raises(errors.CancelledByCallerError):
            client.complete(REQUEST)
        closing.join()

    async with served(gateway) as address, no_task_left_behind():
        await with_client(address, wait)
        await asyncio.wait_for(gateway.ended.wait(), 1)


async def test_what_the_client_is_made_with_counts_for_each_call() -> None:
    gateway = ScriptedGateway(key="sk-1")

    def use(client: Client) -> None:
        client.complete(REQUEST)
        client.complete(REQUEST, timeout_s=5, request_id="mine")
        client.ask("m", "p", timeout_s=5)
        client.stream(REQUEST, timeout_s=5, request_id="mine").answer()
        assert [model.id for model in client.models()] == ["a", "b", "c"]
        assert client.model("b").id == "b"
        assert [state.target for state in client.targets()] == ["a/m"]
        assert client.count_tokens(REQUEST).input_tokens == 7

    async with served(gateway) as address:
        await with_client(address, use, api_key="sk-1", timeout_s=20)
    now = time.monotonic()
    limits = [round(context.deadline - now) for context in gateway.contexts if context.deadline is not None]
    assert limits == [20, 5, 5, 5, 20, 20, 20, 20, 20]
    ids = [context.request_id for context in gateway.contexts]
    assert [ids[1], ids[3]] == ["mine", "mine"]


async def test_a_calls_own_context_counts_before_the_clients() -> None:
    gateway = ScriptedGateway()
    own = CallContext(request_id="own", credential=Secret("sk-own"), traceparent=TRACEPARENT)
    async with served(gateway) as address:
        await with_client(address, lambda client: client.complete(REQUEST, context=own), api_key="sk-1")
    context = gateway.contexts[0]
    assert (context.request_id, context.credential, context.traceparent) == ("own", Secret("sk-own"), TRACEPARENT)


async def test_a_timeout_is_a_deadline_error() -> None:
    gateway = ScriptedGateway(hangs_after())

    def use(client: Client) -> None:
        with pytest.raises(errors.DeadlineError):
            client.complete(REQUEST)
        with pytest.raises(errors.DeadlineError):
            client.stream(REQUEST).answer()

    async with served(gateway) as address:
        await with_client(address, use, timeout_s=0.05)
        assert await becomes_true(lambda: len(gateway.endings) == 2)


async def test_failures_are_typed_and_know_their_request() -> None:
    error = errors.RateLimitedError("slow down", retry_after_ms=1500)

    def use(client: Client) -> None:
        with pytest.raises(errors.RateLimitedError) as caught:
            client.complete(REQUEST, request_id="mine")
        assert (caught.value.retry_after_ms, caught.value.request_id) == (1500, "mine")
        with pytest.raises(errors.RateLimitedError) as caught:
            client.stream(REQUEST, request_id="mine").answer()
        assert (caught.value.retry_after_ms, caught.value.request_id) == (1500, "mine")

    async with served(ScriptedGateway(refuses(error))) as address:
        await with_client(address, use)


def test_nobody_there_says_where(free_port: int) -> None:
    with Client(f"127.0.0.1:{free_port}") as client:
        with pytest.raises(errors.GatewayUnreachableError, match=str(free_port)):
            client.ask("m", "p")
        with pytest.raises(errors.GatewayUnreachableError, match=str(free_port)):
            client.stream(REQUEST).answer()


def test_a_closed_client_is_a_typed_error(free_port: int) -> None:
    client = Client(f"127.0.0.1:{free_port}")
    client.close()
    with pytest.raises(errors.GatewayUnreachableError, match="closed"):
        client.ask("m", "p")
    with pytest.raises(errors.GatewayUnreachableError, match="closed"):
        client.stream(REQUEST)


async def test_threads_may_share_a_client() -> None:
    gateway = ScriptedGateway()
    async with served(gateway) as address:
        with Client(address) as client:
            answers = await asyncio.gather(*(asyncio.to_thread(client.ask, "m", str(n)) for n in range(20)))
    assert answers == ["Hello there"] * 20
    assert len(gateway.requests) == 20
