"""The blocking client's session: the same as asyncio's, with threads."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from grpc_serving import no_task_left_behind, served
from scripted_gateway import Batches, Script, ScriptedGateway, batches_of, breaks_off, hangs_after, says
from trunkline import Client, errors, text_of
from trunkline.session import Session
from trunkline.v1 import CompleteRequest, Priority

REQUEST = CompleteRequest(model="m", prompt="p")
T = TypeVar("T")


async def with_session(script: Script | ScriptedGateway, use: Callable[[Session], T], *, api_key: str = "") -> T:
    """Uses a session in a thread."""
    gateway = script if isinstance(script, ScriptedGateway) else ScriptedGateway(script)

    def run(address: str) -> T:
        with Client(address, api_key=api_key) as client, client.session() as session:
            return use(session)

    async with no_task_left_behind(), served(gateway) as address:
        return await asyncio.to_thread(run, address)


async def echo(request: CompleteRequest) -> Batches:
    """Says how many messages there are, and the last one's text."""
    asked = request.messages[-1].parts[0].text if request.messages else request.prompt
    for batch in batches_of(f"{len(request.messages)} ", asked):
        yield batch


async def test_answers_come_at_once_and_are_not_mixed_up() -> None:
    def use(session: Session) -> list[str]:
        started = [session.start(CompleteRequest(model="m", prompt=f"p{n}")) for n in range(50)]
        return [text_of(answer.answer()) for answer in started]

    assert await with_session(echo, use) == [f"0 p{n}" for n in range(50)]


async def test_threads_share_a_session() -> None:
    def use(session: Session) -> list[str]:
        def ask(n: int) -> str:
            return text_of(session.start(CompleteRequest(model="m", prompt=f"p{n}")).answer())

        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(ask, range(50)))

    assert await with_session(echo, use) == [f"0 p{n}" for n in range(50)]


async def test_a_conversation_goes_on_forks_and_is_forgotten() -> None:
    def use(session: Session) -> None:
        first = session.start(REQUEST, conversation="c")
        assert text_of(first.answer()) == "1 p"
        assert first.conversation is not None
        assert first.conversation.kept
        session.fork("c", "d")
        assert text_of(session.append("d", CompleteRequest(prompt="more")).answer()) == "3 more"
        session.forget("d")
        with pytest.raises(errors.NotFoundError):
            session.forget("d")
        with pytest.raises(errors.NotFoundError):
            session.append("d", REQUEST).answer()
        assert session.ping() > 0
        assert session.session_id
        assert session.limits is not None
        assert not session.draining

    await with_session(echo, use)


async def test_leaving_an_answer_cancels_its_request_alone() -> None:
    async def script(request: CompleteRequest) -> Batches:
        script = hangs_after(*batches_of("Hel")[:2]) if request.model == "slow" else says("Hello")
        async for batch in script(request):
            yield batch

    gateway = ScriptedGateway(script)

    def use(session: Session) -> None:
        with session.start(CompleteRequest(model="slow")) as slow:
            slow.prioritize(Priority.PRIORITY_LOW)
            assert next(slow.texts()) == "Hel"
        with pytest.raises(errors.CancelledByCallerError):
            slow.answer()
        with session.start(REQUEST, request_id="mine", timeout_s=3) as answer:
            assert list(answer.texts()) == ["Hello"]
            assert answer.request_id == "mine"

    await with_session(gateway, use)
    assert gateway.endings == ["left", "whole"]


async def test_leaving_the_session_cancels_everything() -> None:
    gateway = ScriptedGateway(hangs_after(*batches_of("Hel")[:2]))

    def use(session: Session) -> Session:
        assert next(session.start(REQUEST).texts()) == "Hel"
        return session

    session = await with_session(gateway, use)
    assert gateway.endings == ["left"]
    with pytest.raises(errors.CancelledByCallerError):
        session.start(REQUEST)
    assert [thread.name for thread in threading.enumerate() if thread.name == "trunkline session"] == []


async def test_what_runs_can_be_finished() -> None:
    def use(session: Session) -> list[str]:
        answers = [session.start(REQUEST, window_bytes=1) for _ in range(3)]
        session.finish()
        return [text_of(answer.answer()) for answer in answers]

    assert await with_session(echo, use) == ["0 p"] * 3


async def test_credit_is_given_as_the_answer_is_read() -> None:
    texts = ["x" * 1000] * 500

    def use(session: Session) -> int:
        return len(text_of(session.start(REQUEST, window_bytes=10_000).answer()))

    assert await with_session(says(*texts), use) == 500_000


async def test_a_failure_is_its_requests_own() -> None:
    error = errors.ProviderSilentError("silent")

    def use(session: Session) -> None:
        answer = session.start(REQUEST)
        with pytest.raises(errors.ProviderSilentError):
            answer.answer()
        assert session.ping() > 0

    await with_session(breaks_off(error, "Hel"), use)


async def test_a_key_that_is_refused_fails_all_answers() -> None:
    def use(session: Session) -> None:
        with pytest.raises(errors.BadKeyError):
            session.start(REQUEST).answer()
        with pytest.raises(errors.BadKeyError):
            session.ping()

    await with_session(ScriptedGateway(echo, key="sk-1"), use, api_key="sk-2")
