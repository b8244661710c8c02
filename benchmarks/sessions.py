"""What a session costs: beside as many calls of StreamComplete, and while nothing happens in it."""

import asyncio
from collections.abc import Callable
from typing import Final

import orjson

from benchmarks import systems
from benchmarks.figures import Figure, Limit, Ratio
from benchmarks.http_client import LoadError
from benchmarks.mock_upstream import mock_upstream
from benchmarks.payloads import grpc_request, spoken_words
from benchmarks.session_load import IdleSessions, SessionRequests, StreamCalls, StreamedAnswers
from benchmarks.systems import System
from trunkline.v1 import CompleteRequest

ANSWERS: Final = 200
WORDS: Final = 150
WORDS_PER_S: Final = 50.0
IDLE: Final = 10_000
IDLE_CHANNELS: Final = 20
IDLE_S: Final = 5.0

_US: Final = 1e6
_ANSWER_S: Final = WORDS / WORDS_PER_S
_ECHO: Final = "echo"


async def sessions(core: int, rounds: int, window_s: float, tell: Callable[[str], None]) -> list[Figure]:
    """CPU time for each event, of the built-in model and of a provider, and what idle sessions take."""
    echo = Ratio(f"session of {ANSWERS} / calls, echo", "us", bar=0.6)
    provider = Ratio(f"session of {ANSWERS} / calls, provider", "us", bar=0.8)
    async with mock_upstream(words=WORDS, words_per_s=WORDS_PER_S) as upstream:
        with systems.gateway(upstream.host, core=core) as gateway:
            for number in range(1, rounds + 1):
                for figure, request in ((echo, _echo_request()), (provider, grpc_request())):
                    figure.gateway.append(await _cpu_us(gateway, SessionRequests, request, window_s, tell))
                    figure.baseline.append(await _cpu_us(gateway, StreamCalls, request, window_s, tell))
                tell(f"sessions: round {number} of {rounds}")
        with systems.gateway(upstream.host, core=core) as gateway:
            tell(f"{IDLE} idle sessions")
            idle = await _idle(gateway)
    return [echo, provider, *idle]


def session_load(gateway: System) -> SessionRequests:
    """The load of one session, of a provider's answers."""
    return SessionRequests(gateway.grpc_host, grpc_request(), count=ANSWERS, stagger_s=_ANSWER_S / ANSWERS)


async def _cpu_us(
    gateway: System,
    kind: type[StreamedAnswers],
    request: CompleteRequest,
    window_s: float,
    tell: Callable[[str], None],
) -> float:
    """CPU time for each word."""
    load = kind(gateway.grpc_host, request, count=ANSWERS, stagger_s=_ANSWER_S / ANSWERS)
    async with load:
        # Until all are under way, at every stage.
        await asyncio.sleep(2 * _ANSWER_S)
        cpu_s, words, messages = gateway.process.cpu_s(), load.words, load.messages
        await asyncio.sleep(window_s)
        cpu_s, words, messages = gateway.process.cpu_s() - cpu_s, load.words - words, load.messages - messages
        load.check()
    if not words:
        raise LoadError("nothing was said")
    tell(f"  {kind.__name__}: {words / window_s:.0f} words/s, {words / messages:.1f} a message, {cpu_s / window_s:.0%}")
    return cpu_s / words * _US


async def _idle(gateway: System) -> list[Figure]:
    memory = Limit(f"{IDLE} idle sessions, memory", "MB", bar=600)
    busy = Limit(f"{IDLE} idle sessions, CPU", "% of a core", bar=1)
    async with IdleSessions(gateway.grpc_host, count=IDLE, channels=IDLE_CHANNELS) as load:
        await asyncio.sleep(1)
        cpu_s = gateway.process.cpu_s()
        await asyncio.sleep(IDLE_S)
        busy.values.append((gateway.process.cpu_s() - cpu_s) / IDLE_S * 100)
        memory.values.append(gateway.process.rss_mb())
        load.check()
    return [memory, busy]


def _echo_request() -> CompleteRequest:
    controls = {"delay_ms": 1000 / WORDS_PER_S, "text": spoken_words(WORDS)}
    request = CompleteRequest(model=_ECHO, prompt="Say it")
    request.extensions[_ECHO] = orjson.dumps({_ECHO: controls}).decode()
    return request
