"""Many streams at once through providers that fail at random: each client gets a whole answer or one typed error.

Usage: make chaos [ARGS="--seconds 60 --streams 200 --seed 1"]
"""

import argparse
import asyncio
import gc
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson

import trunkline
from chat_spelling import ChatSpelling
from faults import TEXT, Faults, Tokens
from openai_client import HELLO
from running_gateway import RunningGateway, running_gateway, settings_for
from trunkline.v1 import CompleteRequest
from trunkline_server.values.record import RequestRecord
from upstream import Answer, Script, running_upstream

PROVIDERS = "abc"
SHARE_LEAVING = 0.03
"""Of the callers, those who leave in the middle."""
PATIENCE_S = 30.0
"""Nobody waits longer for an answer or an error."""
MAX_GROWTH_MB = 40
SETTLE_S = 65.0
"""Longer than connections to providers are kept: 30 s, and it is looked for them every 30 s."""


@dataclass
class SpanLedger:
    """Keeps of each settled request what accounts for its attempts."""

    requests: int = 0
    spans: set[int] = field(default_factory=set)
    answered_spans: set[int] = field(default_factory=set)
    """Of attempts that got a status from their provider."""

    def record(self, record: RequestRecord) -> None:
        self.requests += 1
        for span_id, attempt in zip(record.attempt_span_ids, record.report.attempts, strict=True):
            self.spans.add(span_id)
            if attempt.http_status:
                self.answered_spans.add(span_id)

    async def close(self) -> None:
        pass


@dataclass
class Tally:
    """What came of it all."""

    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """What no client may ever get."""
    seen_spans: set[int] = field(default_factory=set)
    """Of the attempts that reached a provider."""
    faults: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Level:
    """What the process holds."""

    sockets: int
    tasks: int
    rss_mb: float


def level() -> Level:
    """As of now."""
    gc.collect()
    sockets = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself is gone by now
            sockets += str(link.readlink()).startswith("socket:")
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    rss_mb = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Level(sockets, len(asyncio.all_tasks()), rss_mb)


def troubled(rng: random.Random, tally: Tally) -> Script:
    """A provider that draws what it does with each call."""
    faults = Faults(ChatSpelling(), "m", Tokens(11, 60))

    scripts: Sequence[tuple[str, float, Script]] = (
        ("well", 60, faults.well()),
        ("500", 6, faults.refuses(500)),
        ("503 with Retry-After", 3, faults.refuses(503, retry_after="1")),
        ("429", 6, faults.refuses(429, retry_after="1")),
        ("reset", 5, faults.resets()),
        ("cut", 8, faults.cut(rng.randrange(1, 59))),
        ("stall", 2, faults.stalls(60)),
        ("silence", 2, faults.silent(60)),
        ("malformed", 4, faults.well(malformed_at=10)),
        ("in-band error", 4, faults.fails_midway()),
    )
    names = [name for name, _, _ in scripts]
    weights = [weight for _, weight, _ in scripts]
    by_name = {name: script for name, _, script in scripts}

    async def script(answer: Answer) -> None:
        tally.seen_spans.add(int(answer.call.headers["traceparent"].split("-")[2], 16))
        (name,) = rng.choices(names, weights)
        tally.faults[name] += 1
        await by_name[name](answer)

    return script


async def by_rest(session: aiohttp.ClientSession, gateway: RunningGateway) -> str:
    """How one streamed answer over REST ended; raises AssertionError for what must never be."""
    text, finish, done, error = "", "", False, ""
    body = {"model": "m", "messages": HELLO, "stream": True}
    async with session.post(f"{gateway.rest_url}/chat/completions", json=body) as response:
        if response.status != 200:
            return f"error {(await response.json())['error']['code']}"
        async for line in response.content:
            if not line.startswith(b"data: "):
                continue
            if line.startswith(b"data: [DONE]"):
                done = True
                continue
            chunk = orjson.loads(line[6:])
            if "error" in chunk:
                error = chunk["error"]["code"]
                continue
            for choice in chunk["choices"]:
                text += choice["delta"].get("content") or ""
                finish = choice["finish_reason"] or finish
    assert done != bool(error), f"done {done} and error {error!r}"
    return _end(text, finish == "stop", error)


async def by_grpc(client: trunkline.AsyncClient) -> str:
    """The same over gRPC."""
    text, finished, error = "", False, ""
    try:
        async with client.stream(CompleteRequest(model="m", prompt="Say something")) as events:
            async for event in events:
                kind = event.WhichOneof("kind")
                assert not finished, "an event after the end"
                text += event.text if kind == "text" else ""
                finished = kind == "finished"
    except trunkline.GatewayError as failure:
        error = type(failure).__name__
    return _end(text, finished, error)


def _end(text: str, finished: bool, error: str) -> str:
    assert TEXT.startswith(text), "words that nobody said"
    if error:
        return f"error {error}"
    assert finished, "neither an end nor an error"
    assert text == TEXT, f"{len(text.split())} words as if they were all"
    return "answer"


async def storm(
    *, seconds: float, streams: int, seed: int, settle_s: float = 0
) -> tuple[Tally, SpanLedger, Level, Level]:
    """Runs it; gives what came of it, and what the process held before and after.

    Pooled connections to providers stay open for a while; `settle_s` is how long to wait for their end.
    """
    rng = random.Random(seed)  # noqa: S311 it must be repeatable
    tally, ledger = Tally(), SpanLedger()
    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(running_upstream(troubled(rng, tally))) for _ in PROVIDERS]
        providers = {name: upstream.base_url for name, upstream in zip(PROVIDERS, upstreams, strict=True)}
        settings = settings_for(
            providers,
            retries={"max_retries": 2, "backoff_s": 0.05},
            timeouts={"total_s": 10, "first_token_s": 2, "idle_s": 1},
            breaker={"open_s": 0.5, "max_open_s": 1},
            targets={f"{name}/m": {"prefill": name != "a", "max_concurrent": 100} for name in PROVIDERS},
        )
        traced = {
            name: provider.model_copy(update={"send_trace_context": True})
            for name, provider in settings.providers.items()
        }
        settings = settings.model_copy(update={"providers": traced})
        gateway = await stack.enter_async_context(running_gateway(settings, ledger=ledger))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        )
        client = await stack.enter_async_context(trunkline.AsyncClient(gateway.grpc_address))
        await _ask(tally, by_rest(session, gateway), leave_after_s=None)
        await _ask(tally, by_grpc(client), leave_after_s=None)
        await _until_quiet(gateway)
        before = level()
        until = time.monotonic() + seconds

        async def worker(number: int) -> None:
            while time.monotonic() < until:
                call = by_rest(session, gateway) if number % 2 else by_grpc(client)
                leaves = rng.random() < SHARE_LEAVING
                await _ask(tally, call, leave_after_s=rng.uniform(0, 0.3) if leaves else None)
                for upstream in upstreams:
                    upstream.calls.clear()  # what the fake providers remember is not the gateway's memory

        async with asyncio.TaskGroup() as group:
            for number in range(streams):
                group.create_task(worker(number))
        await _until_quiet(gateway)
        await asyncio.sleep(settle_s)
        return tally, ledger, before, level()


async def _ask(tally: Tally, call: "asyncio.Future[str] | object", *, leave_after_s: float | None) -> None:
    task: asyncio.Task[str] = asyncio.ensure_future(call)  # type: ignore[arg-type]  # one of two coroutines
    try:
        end = await asyncio.wait_for(task, PATIENCE_S if leave_after_s is None else leave_after_s)
    except TimeoutError:
        end = "left" if leave_after_s is not None else "hung"
        if leave_after_s is None:
            tally.wrong.append("neither an end nor an error in time")
    except AssertionError as error:
        end = "wrong"
        tally.wrong.append(str(error))
    tally.ends[end] += 1


async def _until_quiet(gateway: RunningGateway) -> None:
    """Until nothing runs, and connections that linger have ended."""
    async with asyncio.timeout(20):
        while gateway.core.engine.admission.requests:  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.5)


def complaints(tally: Tally, ledger: SpanLedger, before: Level, after: Level, *, pooled: int = 0) -> list[str]:
    """What is not as it must be. `pooled` connections may still be open."""
    found = list(tally.wrong)
    if lost := tally.seen_spans - ledger.spans:
        found.append(f"{len(lost)} attempts that providers saw are in no access line")
    if invented := ledger.answered_spans - tally.seen_spans:
        found.append(f"{len(invented)} attempts in access lines that no provider saw")
    # The fake providers are in this process, so a connection has two sockets and a task.
    if after.sockets > before.sockets + 2 * pooled + 10:
        found.append(f"{after.sockets} sockets, {before.sockets} before")
    if after.tasks > before.tasks + pooled + 10:
        found.append(f"{after.tasks} tasks, {before.tasks} before")
    if after.rss_mb > before.rss_mb + MAX_GROWTH_MB:
        found.append(f"{after.rss_mb:.0f} MB, {before.rss_mb:.0f} before")
    return found


def main() -> int:
    """Exit code 0 only if nobody got what nobody may get."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments = parser.parse_args()
    say = sys.stdout.write
    say(f"seed {arguments.seed}\n")
    tally, ledger, before, after = asyncio.run(
        storm(seconds=arguments.seconds, streams=arguments.streams, seed=arguments.seed, settle_s=SETTLE_S)
    )
    for name, count in sorted(tally.ends.items()):
        say(f"{count:8d}  {name}\n")
    say(f"providers: {', '.join(f'{name} {count}' for name, count in tally.faults.most_common())}\n")
    say(f"{ledger.requests} requests, {len(ledger.spans)} attempts; before {before}, after {after}\n")
    found = complaints(tally, ledger, before, after)
    for complaint in found[:20]:
        say(f"WRONG: {complaint}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
