"""A running call can be ended from outside with an error, and nobody else's cancellation is mistaken for it."""

import asyncio

import pytest

from trunkline.errors import DeadlineError, ShuttingDownError
from trunkline.running import RunningCall, RunningCalls


async def test_ending_raises_the_first_error_given() -> None:
    calls = RunningCalls()

    async def run() -> None:
        with RunningCall(calls) as call:
            call.end(ShuttingDownError("first"))
            call.end(DeadlineError("second"))
            await asyncio.Event().wait()

    with pytest.raises(ShuttingDownError, match="first"):
        await run()
    assert len(calls) == 0
    # What comes after is not cancelled.
    await asyncio.sleep(0)


async def test_ending_all_ends_each() -> None:
    calls = RunningCalls()

    async def run() -> None:
        with RunningCall(calls):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(run()) for _ in range(3)]
    await asyncio.sleep(0)
    assert len(calls) == 3
    assert not await calls.wait(0)
    calls.end(ShuttingDownError("now"))
    assert await calls.wait(1)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ShuttingDownError] * 3


async def test_the_callers_cancel_stays_a_cancel() -> None:
    calls = RunningCalls()

    async def run() -> None:
        with RunningCall(calls):
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await calls.wait(0)


async def test_a_timeout_of_the_work_itself_passes_through() -> None:
    with pytest.raises(TimeoutError, match="a socket's"), RunningCall(RunningCalls()):
        raise TimeoutError("a socket's")
