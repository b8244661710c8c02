"""Time in streams: how often we look at a clock, and what of it is the gateway's own."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import aiohttp
import pytest

import trunkline
from openai_client import HELLO
from running_gateway import RunningGateway, running_gateway, settings_for
from trunkline.context import CallContext
from trunkline.v1 import CompleteRequest
from upstream import Answer, chunk, running_upstream

OURS = ("trunkline", "trunkline_server", "trunkline_bridge")
# What looks at a clock by itself, now and then, however much is streamed.
TIMERS = ("_probe", "_collecting", "_check", "_fire", "_show_life")
CLOCKS = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time", "time_ns")
ASK = CompleteRequest(model="m", prompt="Hi")


class Clocks:
    """Counts who of us looks at a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads: list[str] = []
        for name in CLOCKS:
            monkeypatch.setattr(time, name, self._counting(getattr(time, name)))
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", self._counting(loop.time))

    def _counting(self, clock: Callable[[], float]) -> Callable[[], float]:
        def look() -> float:
            caller = sys._getframe(1)
            name = caller.f_globals.get("__name__", "")
            if name.partition(".")[0] in OURS:
                self.reads.append(f"{name}.{caller.f_code.co_name}")
            return clock()

        return look


class Paced:
    """A provider that gives the next word once the last one has been taken, so that each is a batch of its own."""

    def __init__(self, words: int) -> None:
        self._words = words
        self.taken = asyncio.Event()

    async def __call__(self, answer: Answer) -> None:
        await answer.start_stream()
        for _ in range(self._words):
            await answer.frame(chunk({"content": "word "}))
            await self.taken.wait()
            self.taken.clear()
        await answer.frame(chunk({}, finish_reason="stop"))
        await answer.end_stream()


async def of_the_engine(gateway: RunningGateway, paced: Paced) -> None:
    async with aclosing(gateway.core.engine.stream(ASK, CallContext())) as batches:
        async for _ in batches:
            paced.taken.set()


async def by_rest(gateway: RunningGateway, paced: Paced) -> None:
    body = {"model": "m", "messages": HELLO, "stream": True}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway.rest_url}/chat/completions", json=body) as response,
    ):
        async for line in response.content:
            if b"word" in line:
                paced.taken.set()


async def by_grpc(gateway: RunningGateway, paced: Paced) -> None:
    async with trunkline.AsyncClient(gateway.grpc_address) as client, client.stream(ASK) as events:
        async for event in events:
            if event.HasField("text") or event.HasField("part_started"):
                paced.taken.set()


@pytest.mark.parametrize(
    ("ask", "of_each_batch"),
    [
        (of_the_engine, ["trunkline_server.engine.attempt._next_chunk"]),
        (by_rest, ["trunkline_bridge.sse._write", "trunkline_server.engine.attempt._next_chunk"]),
        (by_grpc, ["trunkline_server.engine.attempt._next_chunk", "trunkline_server.rpc.writer._write"]),
    ],
)
async def test_a_batch_costs_one_look_where_it_is_read_and_one_where_it_is_written(
    ask: Callable[[RunningGateway, Paced], Awaitable[None]],
    of_each_batch: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[Counter[str]] = []
    for words in (20, 30):
        paced = Paced(words)
        async with running_upstream(paced) as up, running_gateway(settings_for({"a": up.base_url})) as gateway:
            with monkeypatch.context() as patch:
                clocks = Clocks(patch)
                await ask(gateway, paced)
            counted.append(Counter(clocks.reads))
    few, many = counted
    more = {who: many[who] - few[who] for who in many if not who.endswith(TIMERS) and many[who] != few[who]}
    assert more == dict.fromkeys(of_each_batch, 10)


async def test_what_the_caller_takes_between_batches_is_not_the_gateways_own() -> None:
    paced = Paced(3)
    async with running_upstream(paced) as up, running_gateway(settings_for({"a": up.base_url})) as gateway:
        async with aclosing(gateway.core.engine.stream(ASK, CallContext())) as batches:
            async for _ in batches:
                await asyncio.sleep(0.05)  # the caller has something else to do
                paced.taken.set()
        report = gateway.ledger.records[0].report
    assert report.overhead_us <= report.first_token_us < report.duration_us
