"""A stretch ends with the error it is given, and no other cancellation is mistaken for that."""

import asyncio

import pytest

from trunkline.errors import DeadlineError, ShuttingDownError
from trunkline.interruptible import Interruptible


async def waits_in(stretch: Interruptible) -> None:
    with stretch:
        await asyncio.Event().wait()


async def test_what_is_awaited_inside_ends_with_the_first_error() -> None:
    stretch = Interruptible()
    task = asyncio.ensure_future(waits_in(stretch))
    await asyncio.sleep(0)
    stretch.interrupt(DeadlineError("first"))
    stretch.interrupt(ShuttingDownError("second"))
    with pytest.raises(DeadlineError, match="first"):
        await task
    assert task.cancelling() == 0


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    stretch = Interruptible()
    task = asyncio.ensure_future(waits_in(stretch))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_of_both_at_once_the_cancellation_wins() -> None:
    stretch = Interruptible()
    task = asyncio.ensure_future(waits_in(stretch))
    await asyncio.sleep(0)
    stretch.interrupt(DeadlineError("late"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_that_comes_when_the_work_is_done_changes_nothing() -> None:
    with Interruptible() as stretch:
        stretch.interrupt(DeadlineError("too late"))
    stretch.interrupt(DeadlineError("much too late"))
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_the_works_own_error_passes() -> None:
    async def fails() -> None:
        with Interruptible() as stretch:
            stretch.interrupt(DeadlineError("meanwhile"))
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await fails()


async def test_stretches_may_lie_in_each_other() -> None:
    outer, inner = Interruptible(), Interruptible()

    async def both() -> str:
        with outer:
            try:
                await waits_in(inner)
            except DeadlineError:
                await asyncio.Event().wait()
        return "never"

    task = asyncio.ensure_future(both())
    await asyncio.sleep(0)
    inner.interrupt(DeadlineError("inner"))
    await asyncio.sleep(0.01)
    outer.interrupt(ShuttingDownError("outer"))
    with pytest.raises(ShuttingDownError, match="outer"):
        await task
