"""Places at a target that takes so many calls at once, and the queue for them."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from targets import target_of
from trunkline.context import Steering
from trunkline.errors import DeadlineError, OverloadedError
from trunkline.v1 import Priority
from trunkline_server.engine.slots import FIRST_GUESS_S, Slots
from trunkline_server.engine.watch import Watch

LOW, NORMAL, HIGH = Priority.PRIORITY_LOW, Priority.PRIORITY_NORMAL, Priority.PRIORITY_HIGH


def slots(most: int = 1, queue: int = 10) -> Slots:
    return Slots(replace(target_of("vllm"), max_concurrent=most, max_queue=queue))


def watch(deadline_s: float = 60) -> Watch:
    loop = asyncio.get_running_loop()
    return Watch(loop, loop.time() + deadline_s)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_waits_can_be_given_another_place() -> None:
    found, order = slots(), []
    steerings = {name: Steering() for name in ("a", "b", "c", "d")}
    await found.take(NORMAL, watch())

    async def wait(name: str) -> None:
        await found.take(NORMAL, watch(), steerings[name])
        order.append(name)
        found.give_back(0.1)

    async with asyncio.TaskGroup() as group:
        for name in steerings:
            group.create_task(wait(name))
        await settle()
        steerings["a"].priority = LOW
        steerings["d"].priority = HIGH
        found.give_back(0.1)
    assert order == ["d", "b", "c", "a"]
    steerings["a"].priority = HIGH  # it no longer waits
    assert found.queued == 0


async def test_a_free_slot_costs_no_wait() -> None:
    found = slots(most=2)
    assert [await found.take(NORMAL, watch()), await found.take(NORMAL, watch())] == [0.0, 0.0]
    assert found.queued == 0


async def test_waiters_come_by_priority_then_deadline_then_arrival() -> None:
    found, order = slots(), []
    await found.take(NORMAL, watch())

    async def wait(name: str, priority: "Priority.ValueType", deadline_s: float) -> None:
        await found.take(priority, watch(deadline_s))
        order.append(name)
        found.give_back(0.1)

    async with asyncio.TaskGroup() as group:
        for name, priority, deadline_s in (
            ("low", LOW, 1),
            ("late", NORMAL, 50),
            ("early", NORMAL, 40),
            ("unsaid", Priority.PRIORITY_UNSPECIFIED, 30),
            ("high", HIGH, 90),
        ):
            group.create_task(wait(name, priority, deadline_s))
        await settle()
        assert found.queued == 5
        found.give_back(0.1)
    assert order == ["high", "unsaid", "early", "late", "low"]
    assert await found.take(NORMAL, watch()) == 0.0


async def test_a_full_queue_sheds_its_last_which_may_be_the_newcomer() -> None:
    found = slots(queue=1)
    await found.take(NORMAL, watch())
    waiting = asyncio.create_task(found.take(NORMAL, watch()))
    await settle()
    with pytest.raises(OverloadedError) as caught:
        await found.take(LOW, watch())
    assert caught.value.retry_after_ms == round(FIRST_GUESS_S * 2 * 1000)
    urgent = asyncio.create_task(found.take(HIGH, watch()))
    with pytest.raises(OverloadedError):
        await waiting
    found.give_back(0.1)
    await urgent


async def test_the_deadline_ends_the_wait_and_leaves_the_queue() -> None:
    found = slots()
    await found.take(NORMAL, watch())
    with pytest.raises(DeadlineError):
        await found.take(NORMAL, watch(0.01))
    assert found.queued == 0
    found.give_back(0.1)
    assert await found.take(NORMAL, watch()) == 0.0


@settings(max_examples=100, deadline=None)
@given(
    most=st.integers(1, 3),
    queue=st.integers(0, 4),
    steps=st.lists(st.tuples(st.sampled_from(["ask", "end", "leave"]), st.integers(0, 9)), max_size=40),
)
def test_whoever_comes_and_goes_the_slots_are_kept(most: int, queue: int, steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        found = slots(most, queue)
        asked: list[asyncio.Task[float]] = []
        held = 0
        for step, which in steps:
            running = [task for task in asked if task.done() and not task.cancelled() and not task.exception()]
            waiting = [task for task in asked if not task.done()]
            held = len(running)
            assert held <= most
            assert len(waiting) <= queue
            if step == "ask":
                asked.append(asyncio.create_task(found.take(NORMAL, watch())))
            elif step == "end" and running:
                asked.remove(running[which % len(running)])
                found.give_back(0.1)
            elif step == "leave" and waiting:
                waiting[which % len(waiting)].cancel()
            await settle()
        for task in asked:
            if task.done() and not task.cancelled() and not task.exception():
                found.give_back(0.1)
            await settle()
        for task in asked:
            if not task.done():
                await task
                found.give_back(0.1)
        assert [await found.take(NORMAL, watch()) for _ in range(most)] == [0.0] * most

    asyncio.run(play())
