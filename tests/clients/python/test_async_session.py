"""The asyncio client's session: answers at once, conversations, cancelling, and backpressure by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from grpc_serving import no_task_left_behind, served
from scripted_gateway import Batches, Script, ScriptedGateway, batches_of, breaks_off, hangs_after, says
from trunkline import AsyncClient, errors, text_of
from trunkline.async_session import AsyncSession
from trunkline.v1 import CompleteRequest, Message, Part, Priority, Role

REQUEST = CompleteRequest(model="m", prompt="p")


@asynccontextmanager
async def session_with(script: Script | ScriptedGateway, *, api_key: str = "") -> AsyncIterator[AsyncSession]:
    gateway = script if isinstance(script, ScriptedGateway) else ScriptedGateway(script)
    async with (
        no_task_left_behind(),
        served(gateway) as address,
        AsyncClient(address, api_key=api_key) as client,
        client.session() as session,
    ):
        yield session


async def echo(request: CompleteRequest) -> Batches:
    """Says how many messages there are, and the last one's text."""
    await asyncio.sleep(0)
    asked = request.messages[-1].parts[0].text if request.messages else request.prompt
    for batch in batches_of(f"{len(request.messages)} ", asked):
        yield batch


async def test_answers_come_at_once_and_are_not_mixed_up() -> None:
    async with session_with(echo) as session:
        started = [await session.start(CompleteRequest(model="m", prompt=f"p{n}")) for n in range(50)]
        answers = await asyncio.gather(*(answer.answer() for answer in started))
        assert [text_of(answer) for answer in answers] == [f"0 p{n}" for n in range(50)]
        assert session.session_id
        assert session.limits is not None
        assert session.limits.max_requests > 0


async def test_a_conversation_goes_on_forks_and_is_forgotten() -> None:
    async with session_with(echo) as session:
        first = await session.start(REQUEST, conversation="c")
        assert text_of(await first.answer()) == "1 p"
        assert first.conversation is not None
        assert (first.conversation.messages, first.conversation.kept) == (2, True)
        await session.fork("c", "d")
        for name in ("c", "d"):
            more = await session.append(name, CompleteRequest(prompt=f"to {name}"))
            assert text_of(await more.answer()) == f"3 to {name}"
        await session.forget("c")
        with pytest.raises(errors.NotFoundError):
            await session.forget("c")
        with pytest.raises(errors.NotFoundError):
            await session.fork("c", "e")
        with pytest.raises(errors.InvalidRequestError):
            await session.fork("d", "d")
        refused = await session.append("c", REQUEST)
        with pytest.raises(errors.NotFoundError):
            await refused.answer()


async def test_texts_come_as_they_are_said() -> None:
    async with session_with(says("Hel", "lo")) as session, await session.start(REQUEST) as answer:
        assert [text async for text in answer.texts()] == ["Hel", "lo"]
        assert text_of(await answer.answer()) == "Hello"
        assert answer.conversation is None


async def test_a_failure_is_its_requests_own() -> None:
    async def script(request: CompleteRequest) -> Batches:
        script = breaks_off(errors.ProviderSilentError("silent"), "Hel") if request.model == "bad" else says("Hello")
        async for batch in script(request):
            yield batch

    async with session_with(script) as session:
        bad = await session.start(CompleteRequest(model="bad"))
        good = await session.start(REQUEST)
        with pytest.raises(errors.ProviderSilentError):
            await bad.answer()
        with pytest.raises(errors.ProviderSilentError):
            await bad.answer()
        assert text_of(await good.answer()) == "Hello"


async def test_leaving_an_answer_cancels_its_request_alone() -> None:
    async def script(request: CompleteRequest) -> Batches:
        script = hangs_after(*batches_of("Hel")[:2]) if request.model == "slow" else says("Hello")
        async for batch in script(request):
            yield batch

    gateway = ScriptedGateway(script)
    async with session_with(gateway) as session:
        async with await session.start(CompleteRequest(model="slow")) as slow:
            async for text in slow.texts():
                assert text == "Hel"
                break
        with pytest.raises(errors.CancelledByCallerError):
            await slow.answer()
        assert gateway.endings == ["left"]
        assert text_of(await (await session.start(REQUEST)).answer()) == "Hello"


async def test_leaving_the_session_cancels_everything() -> None:
    gateway = ScriptedGateway(hangs_after(*batches_of("Hel")[:2]))
    async with session_with(gateway) as session:
        left = [await session.start(REQUEST) for _ in range(3)]
        for answer in left:
            assert await anext(answer.texts()) == "Hel"
    assert gateway.endings == ["left"] * 3
    with pytest.raises(errors.CancelledByCallerError):
        await left[0].answer()
    with pytest.raises(errors.GatewayError):
        await session.start(REQUEST)


async def test_what_runs_can_be_finished() -> None:
    async with session_with(echo) as session:
        answers = [await session.start(REQUEST, window_bytes=1) for _ in range(3)]
        await session.finish()
        assert [text_of(await answer.answer()) for answer in answers] == ["0 p"] * 3


async def test_who_reads_slowly_holds_up_its_own_answer_alone() -> None:
    """The provider of the slow one is not read on, although hundreds of kilobytes would fit into the connection."""
    pulled = 0

    async def script(request: CompleteRequest) -> Batches:
        nonlocal pulled
        texts = ["x" * 1000] * 2000 if request.model == "long" else ["Hello"]
        for batch in batches_of(*texts):
            if request.model == "long":
                pulled += 1
            yield batch

    async with session_with(script) as session:
        long = await session.start(CompleteRequest(model="long"), window_bytes=20_000)
        for _ in range(20):
            assert text_of(await (await session.start(REQUEST)).answer()) == "Hello"
        assert pulled < 40
        assert len(text_of(await long.answer())) == 2_000_000


async def test_a_ping_takes_its_time() -> None:
    async with session_with(echo) as session:
        assert await session.ping() > 0


async def test_an_id_of_ones_own_and_priority() -> None:
    gateway = ScriptedGateway(hangs_after(*batches_of("Hel")[:2]))
    async with session_with(gateway) as session:
        answer = await session.start(REQUEST, request_id="mine", timeout_s=3)
        assert answer.request_id == "mine"
        with pytest.raises(errors.InvalidRequestError):
            await session.start(REQUEST, request_id="mine")
        await answer.prioritize(Priority.PRIORITY_HIGH)
        await session.ping()
    assert gateway.requests[0].routing.timeout_ms == 3000


async def test_a_key_that_is_refused_fails_all_answers() -> None:
    gateway = ScriptedGateway(echo, key="sk-1")
    async with session_with(gateway, api_key="sk-2") as session:
        with pytest.raises(errors.BadKeyError):
            await (await session.start(REQUEST)).answer()
        with pytest.raises(errors.BadKeyError):
            await session.ping()
        with pytest.raises(errors.BadKeyError):
            await session.start(REQUEST)


async def test_the_key_goes_with_the_session() -> None:
    async with session_with(ScriptedGateway(echo, key="sk-1"), api_key="sk-1") as session:
        assert text_of(await (await session.start(REQUEST)).answer()) == "0 p"


async def test_a_gateway_that_goes_away_is_told_to_all_who_wait() -> None:
    gateway = ScriptedGateway(hangs_after(*batches_of("Hel")[:2]))
    async with no_task_left_behind():
        async with served(gateway) as address:
            client = AsyncClient(address)
            session = client.session()
            await session.__aenter__()
            answer = await session.start(REQUEST)
            assert await anext(answer.texts()) == "Hel"
        with pytest.raises(errors.GatewayError) as caught:
            await answer.answer()
        assert not isinstance(caught.value, errors.CancelledByCallerError)
        await session.__aexit__(None, None, None)
        await client.close()


async def test_tool_results_are_appended() -> None:
    async with session_with(echo) as session:
        await (await session.start(REQUEST, conversation="c")).answer()
        result = Message(role=Role.ROLE_USER, parts=[Part(text="result")])
        more = await session.append("c", CompleteRequest(messages=[result]))
        assert text_of(await more.answer()) == "3 result"
