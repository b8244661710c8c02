"""The rounds: each load on the gateway and on its baseline in turn, so that a slow minute of the machine hits both."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks import systems
from benchmarks.choosing import choosing
from benchmarks.figures import Figure, Limit, Ratio
from benchmarks.http_client import LoadError
from benchmarks.load import ClosedLoop, GrpcLoop, OpenLoop
from benchmarks.mock_upstream import MockUpstream, mock_upstream
from benchmarks.otlp_sink import OtlpSink, otlp_sink
from benchmarks.overhead import overhead
from benchmarks.payloads import chat_request, grpc_request
from benchmarks.session_load import SessionRequests
from benchmarks.sessions import session_load, sessions
from benchmarks.systems import System
from benchmarks.translating import translating

ROUNDS: Final = 5
WINDOW_S: Final = 5.0

CONNECTIONS: Final = 16
STREAMS: Final = 30
WORDS: Final = 150
WORDS_PER_S: Final = 50.0
CALLS: Final = 16
REQUESTS_PER_S: Final = 100.0

SOAK_REQUESTS: Final = 100_000
SOAK_STREAMS: Final = 5
# Pools, caches and the allocator's arenas have grown by then; what grows later is a leak.
SOAK_SETTLED: Final = 20_000
SOAK_STEP: Final = 5_000

REST, STREAM, GRPC, LATENCY, OVERHEAD, CONVERSE = "rest", "stream", "grpc", "latency", "overhead", "converse"
LOADS: Final = (REST, STREAM, GRPC, LATENCY, OVERHEAD, CONVERSE)

_NAMES: Final = {REST: "REST", STREAM: "streaming", GRPC: "gRPC"}

_US: Final = 1e6
_MS: Final = 1e3
_OTLP: Final = f", OTLP {systems.SAMPLED:.0%}"
# A stream ends and begins again after this long; spread over it, streams are at every stage at any time. The last term
# keeps their words out of step as well.
_STAGGER_S: Final = (WORDS / WORDS_PER_S + 1 / WORDS_PER_S) / STREAMS


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often."""

    core: int
    """Where what is measured runs; everything else runs elsewhere."""
    loads: tuple[str, ...] = LOADS
    rounds: int = ROUNDS
    window_s: float = WINDOW_S
    warm_up_s: float = 1.0
    soak: bool = False


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that runs while something is measured."""

    upstream: MockUpstream
    sink: OtlpSink
    proxy: System
    echo: System
    gateway: System
    traced: System
    """A second gateway, which exports metrics and some of its traces."""
    recorded: System
    """A third one, which exports all of its traces."""


async def measure(plan: Plan, tell: Callable[[str], None]) -> list[Figure]:
    """All figures of the plan; `tell` is given a line now and then. Raises LoadError if anything did not answer."""
    ready = Limit("ready, CPU time", "s", bar=1.5)
    memory = Limit("resident memory after the rounds", "MB", bar=120)
    async with running_bench(plan.core) as bench:
        ready.values.append(bench.gateway.ready_cpu_s)
        for _ in range(plan.rounds - 1):
            with systems.gateway(bench.upstream.host, core=plan.core) as started:
                ready.values.append(started.ready_cpu_s)
        figures: list[Figure] = []
        costs = _Costs(bench, plan)
        for number in range(1, plan.rounds + 1):
            tell(f"round {number} of {plan.rounds}")
            await costs.round()
        figures += costs.figures()
        if OVERHEAD in plan.loads:
            figures += await overhead(plan.core, plan.rounds, tell)
        if CONVERSE in plan.loads:
            figures += await sessions(plan.core, plan.rounds, plan.window_s, tell)
        if not bench.sink.exports and set(plan.loads) & {REST, STREAM, GRPC}:
            raise LoadError("the gateway that should export spans exported none")
        memory.values.extend((bench.gateway.process.rss_mb(), bench.traced.process.rss_mb()))
        if plan.soak:
            tell(f"{SOAK_REQUESTS} requests")
            figures += await _soak(bench)
    return [*figures, *choosing(plan.rounds), *translating(plan.rounds), memory, ready]


@asynccontextmanager
async def running_bench(core: int) -> AsyncIterator[Bench]:
    """Starts everything; leaving ends it."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(mock_upstream(words=WORDS, words_per_s=WORDS_PER_S))
        sink = await stack.enter_async_context(otlp_sink())
        yield Bench(
            upstream,
            sink,
            proxy=stack.enter_context(systems.bare_proxy(upstream.host, core=core)),
            echo=stack.enter_context(systems.grpc_echo(core=core)),
            gateway=stack.enter_context(systems.gateway(upstream.host, core=core)),
            traced=stack.enter_context(systems.gateway(upstream.host, core=core, otlp_host=sink.host)),
            recorded=stack.enter_context(systems.gateway(upstream.host, core=core, otlp_host=sink.host, sampled=1)),
        )


def load_on(system: System, kind: str) -> ClosedLoop | GrpcLoop | OpenLoop | SessionRequests:
    """A load of one of the kinds of LOADS."""
    match kind:
        case "rest":
            return ClosedLoop(system.host, chat_request(system.host, stream=False), connections=CONNECTIONS)
        case "stream":
            request = chat_request(system.host, stream=True)
            return ClosedLoop(system.host, request, connections=STREAMS, stagger_s=_STAGGER_S)
        case "grpc":
            return GrpcLoop(system.grpc_host, grpc_request().SerializeToString(), calls=CALLS)
        case "latency":
            return OpenLoop(system.host, chat_request(system.host, stream=False), per_s=REQUESTS_PER_S)
        case "converse":
            return session_load(system)
        case _:
            raise ValueError(f"no load {kind}")


class _Costs:
    """The figures that come in rounds, while they come in."""

    def __init__(self, bench: Bench, plan: Plan) -> None:
        self._bench = bench
        self._plan = plan
        self._rest = Ratio("REST, CPU per request", "us", bar=1.5, aim=1.2)
        self._rest_traced = Ratio(f"REST, CPU per request{_OTLP}", "us", bar=1.5, aim=1.2)
        self._stream = Ratio("streaming, CPU per event", "us", bar=1.4, aim=1.1)
        self._stream_traced = Ratio(f"streaming, CPU per event{_OTLP}", "us", bar=1.4, aim=1.1)
        self._grpc = Ratio("gRPC, CPU per request", "us", bar=1.0)
        self._grpc_traced = Ratio(f"gRPC, CPU per request{_OTLP}", "us", bar=1.0)
        self._some = {kind: Ratio(f"{name}{_OTLP} / none", "us", bar=1.1) for kind, name in _NAMES.items()}
        self._all = {kind: Ratio(f"{name}, OTLP 100% / none", "us", bar=1.8) for kind, name in _NAMES.items()}
        self._latency = Ratio("REST, added p50 at 100/s", "ms", bar=1.5)

    def figures(self) -> list[Figure]:
        """Those that were measured."""
        every = (
            self._rest,
            self._rest_traced,
            self._stream,
            self._stream_traced,
            self._grpc,
            self._grpc_traced,
            *self._some.values(),
            *self._all.values(),
            self._latency,
        )
        return [figure for figure in every if figure.gateway]

    async def round(self) -> None:
        """Each load of the plan once on each system, the gateway and its baseline in turn."""
        loads, bench = self._plan.loads, self._bench
        if REST in loads or GRPC in loads:
            plain = await self._cpu_us(bench.gateway, REST)
            proxy = await self._cpu_us(bench.proxy, REST)
            _add(self._rest, plain, proxy)
            _add(self._rest_traced, await self._telemetry(REST, plain), proxy)
            if GRPC in loads:
                plain = await self._cpu_us(bench.gateway, GRPC)
                least = await self._cpu_us(bench.echo, GRPC) + proxy
                _add(self._grpc, plain, least)
                _add(self._grpc_traced, await self._telemetry(GRPC, plain), least)
        if STREAM in loads:
            plain = await self._cpu_us(bench.gateway, STREAM)
            proxy = await self._cpu_us(bench.proxy, STREAM)
            _add(self._stream, plain, proxy)
            _add(self._stream_traced, await self._telemetry(STREAM, plain), proxy)
        if LATENCY in loads:
            direct = await self._p50_ms(bench.upstream.host)
            plain = await self._p50_ms(bench.gateway.host)
            proxy = await self._p50_ms(bench.proxy.host)
            _add(self._latency, plain - direct, proxy - direct)

    async def _telemetry(self, kind: str, plain: float) -> float:
        """What a load costs with some traces exported, and notes that and the cost of all beside `plain`."""
        some = await self._cpu_us(self._bench.traced, kind)
        _add(self._some[kind], some, plain)
        _add(self._all[kind], await self._cpu_us(self._bench.recorded, kind), plain)
        return some

    async def _cpu_us(self, system: System, kind: str) -> float:
        """CPU time of `system` for each answer of a load, or for each word of a streamed one."""
        upstream = self._bench.upstream
        async with load_on(system, kind) as load:
            count: Callable[[], int] = (lambda: upstream.words_sent) if kind == STREAM else (lambda: load.answers)
            # Streams take the time of one to be all under way.
            await asyncio.sleep(self._plan.warm_up_s + (WORDS / WORDS_PER_S if kind == STREAM else 0))
            cpu_s, done = system.process.cpu_s(), count()
            await asyncio.sleep(self._plan.window_s)
            cpu_s, done = system.process.cpu_s() - cpu_s, count() - done
            load.check()
        if not done:
            raise LoadError(f"nothing was answered under the load {kind}")
        return cpu_s / done * _US

    async def _p50_ms(self, host: str) -> float:
        async with OpenLoop(host, chat_request(host, stream=False), per_s=REQUESTS_PER_S) as load:
            await asyncio.sleep(self._plan.warm_up_s)
            load.latencies_s.clear()
            await asyncio.sleep(self._plan.window_s)
            load.check()
            if not load.latencies_s:
                raise LoadError("nothing was answered at a fixed rate")
            return median(load.latencies_s) * _MS


async def _soak(bench: Bench) -> list[Figure]:
    """Memory of a gateway that answers whole requests and streams at once, many of them."""
    system = bench.gateway
    memory = Limit(f"resident memory over {SOAK_REQUESTS} requests", "MB", bar=120)
    growth = Limit(f"its growth after the first {SOAK_SETTLED}", "MB", bar=4)
    streams = ClosedLoop(
        system.host, chat_request(system.host, stream=True), connections=SOAK_STREAMS, stagger_s=_STAGGER_S
    )
    async with load_on(system, REST) as load, streams:
        settled_mb, until = 0.0, SOAK_STEP
        while load.answers < SOAK_REQUESTS:
            await asyncio.sleep(0.1)
            load.check()
            streams.check()
            if load.answers < until:
                continue
            memory.values.append(system.process.rss_mb())
            if until == SOAK_SETTLED:
                settled_mb = memory.values[-1]
            until += SOAK_STEP
        growth.values.append(memory.values[-1] - settled_mb)
    return [memory, growth]


def _add(figure: Ratio, gateway: float, baseline: float) -> None:
    figure.gateway.append(gateway)
    figure.baseline.append(baseline)
