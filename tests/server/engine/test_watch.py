"""The timer of a request: it interrupts what is waited for, and only then."""

import asyncio

import pytest

from trunkline.errors import DeadlineError, GatewayError, ProviderSilentError, ShuttingDownError
from trunkline_server.engine.watch import Watch


class Wait:
    """Something that is waited for."""

    def __init__(self) -> None:
        self.errors: list[GatewayError] = []
        self.ended = asyncio.Event()

    def interrupt(self, error: GatewayError) -> None:
        self.errors.append(error)
        self.ended.set()


def watch(timeout_s: float) -> tuple[Watch, asyncio.AbstractEventLoop]:
    loop = asyncio.get_running_loop()
    return Watch(loop, loop.time() + timeout_s), loop


async def test_the_deadline_interrupts_once() -> None:
    timer, _ = watch(0.02)
    wait = Wait()
    timer.attach(wait.interrupt)
    await asyncio.wait_for(wait.ended.wait(), 1)
    await asyncio.sleep(0.02)
    assert [type(error) for error in wait.errors] == [DeadlineError]
    with pytest.raises(DeadlineError):
        timer.check()


async def test_silence_interrupts_and_the_request_goes_on() -> None:
    timer, loop = watch(10)
    wait = Wait()
    timer.attach(wait.interrupt)
    timer.waiting(loop.time() + 0.02, "the idle limit of 0.02 s")
    await asyncio.wait_for(wait.ended.wait(), 1)
    assert [type(error) for error in wait.errors] == [ProviderSilentError]
    assert wait.errors[0].message == "the provider was silent for longer than the idle limit of 0.02 s"
    timer.check()
    timer.close()


async def test_a_limit_does_not_run_while_nothing_is_waited_for() -> None:
    timer, loop = watch(10)
    wait = Wait()
    timer.attach(wait.interrupt)
    for _ in range(4):
        timer.waiting(loop.time() + 0.03, "a limit")
        await asyncio.sleep(0.01)
        timer.arrived()
        await asyncio.sleep(0.03)  # the caller is slow
    assert wait.errors == []
    timer.waiting(loop.time() + 0.03, "a limit")
    await asyncio.wait_for(wait.ended.wait(), 1)
    timer.close()


async def test_a_shorter_limit_than_the_one_armed_is_kept() -> None:
    timer, loop = watch(10)
    wait = Wait()
    timer.attach(wait.interrupt)
    timer.waiting(loop.time() + 5, "first token")
    timer.arrived()
    timer.waiting(loop.time() + 0.02, "idle")
    await asyncio.wait_for(wait.ended.wait(), 1)
    assert "idle" in wait.errors[0].message
    timer.close()


async def test_a_stop_while_nothing_is_attached_takes_effect_at_the_next_attach() -> None:
    timer, _ = watch(10)
    timer.stop(ShuttingDownError("bye"))
    timer.stop(DeadlineError("too late"))
    wait = Wait()
    timer.attach(wait.interrupt)
    assert [error.message for error in wait.errors] == ["bye"]
    with pytest.raises(ShuttingDownError):
        timer.check()


async def test_a_closed_watch_interrupts_nothing() -> None:
    timer, _ = watch(0.01)
    wait = Wait()
    timer.attach(wait.interrupt)
    timer.close()
    await asyncio.sleep(0.03)
    assert wait.errors == []
