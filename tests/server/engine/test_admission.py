"""What the gateway takes on at once."""

import asyncio

import pytest

from trunkline.errors import OverloadedError, ShuttingDownError
from trunkline_server.engine.admission import Admission


def admission() -> Admission:
    return Admission(max_requests=2, max_bytes=100, retry_after_ms=1500)


def test_requests_beyond_the_limit_are_told_when_to_come_back() -> None:
    gate = admission()
    gate.enter(1)
    gate.enter(1)
    with pytest.raises(OverloadedError) as caught:
        gate.enter(1)
    assert caught.value.retry_after_ms == 1500
    gate.leave(1)
    gate.enter(1)
    assert (gate.requests, gate.size_bytes) == (2, 2)


def test_bytes_beyond_the_limit_are_refused_unless_the_request_is_alone() -> None:
    gate = admission()
    gate.enter(150)
    with pytest.raises(OverloadedError, match="bytes"):
        gate.enter(1)
    gate.leave(150)
    gate.enter(60)
    with pytest.raises(OverloadedError):
        gate.enter(41)
    assert (gate.requests, gate.size_bytes) == (1, 60)


async def test_draining_waits_for_what_runs_and_takes_nothing_more() -> None:
    gate = admission()
    gate.enter(1)
    draining = asyncio.ensure_future(gate.drain(5))
    await asyncio.sleep(0)
    with pytest.raises(ShuttingDownError):
        gate.enter(1)
    assert not draining.done()
    gate.leave(1)
    assert await draining


async def test_draining_gives_up_in_time_and_can_go_on() -> None:
    gate = admission()
    gate.enter(1)
    assert not await gate.drain(0.01)
    second = asyncio.ensure_future(gate.drain(5))
    await asyncio.sleep(0)
    gate.leave(1)
    assert await second
    assert await gate.drain(0)
