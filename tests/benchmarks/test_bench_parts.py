"""The benchmark's parts do what the figures rely on: every load gets its answers, and no failure counts as one."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from benchmarks import systems
from benchmarks.figures import Limit, Ratio, table
from benchmarks.http_client import LoadError
from benchmarks.load import ClosedLoop, GrpcLoop, OpenLoop
from benchmarks.mock_upstream import MockUpstream, mock_upstream
from benchmarks.otlp_sink import otlp_sink
from benchmarks.payloads import MODEL, chat_answer, chat_body, chat_request, grpc_request, stream_frames
from benchmarks.session_load import IdleSessions, SessionRequests, StreamCalls, StreamedAnswers
from running_gateway import running_gateway, settings_for

CORE = min(os.sched_getaffinity(0))
WORDS = 4
Load = ClosedLoop | OpenLoop | GrpcLoop | StreamedAnswers


@pytest.fixture
async def upstream() -> AsyncIterator[MockUpstream]:
    async with mock_upstream(words=WORDS, words_per_s=500) as upstream:
        yield upstream


async def answers_of(load: AbstractAsyncContextManager[Load], count: int) -> Load:
    """The load, once it has had that many answers."""
    async with asyncio.timeout(5), load as running:
        while running.answers < count:
            running.check()
            await asyncio.sleep(0.002)
    return running


def test_the_payloads_are_as_large_as_they_say() -> None:
    assert 1900 <= len(chat_body(stream=False)) <= 2200
    assert 1000 <= len(chat_answer()) <= 1200
    assert abs(grpc_request().ByteSize() - len(chat_body(stream=False))) < 300
    assert len(stream_frames(WORDS)) == WORDS + 3


@pytest.mark.parametrize("stream", [False, True])
async def test_a_closed_loop_goes_on_over_the_same_connections(upstream: MockUpstream, *, stream: bool) -> None:
    load = ClosedLoop(upstream.host, chat_request(upstream.host, stream=stream), connections=3)
    await answers_of(load, 9)
    # Whole streams of the answers, and at most one begun on each connection.
    words = load.answers * WORDS if stream else 0
    assert words <= upstream.words_sent <= words + (3 * WORDS if stream else 0)


async def test_an_open_loop_keeps_its_rate_and_its_latencies(upstream: MockUpstream) -> None:
    load = OpenLoop(upstream.host, chat_request(upstream.host, stream=False), per_s=200)
    began = asyncio.get_running_loop().time()
    await answers_of(load, 20)
    assert asyncio.get_running_loop().time() - began >= 19 / 200 - 0.01
    assert len(load.latencies_s) == load.answers
    assert all(0 < latency_s < 1 for latency_s in load.latencies_s)


async def test_an_answer_that_is_no_success_fails_the_load(upstream: MockUpstream) -> None:
    wrong = chat_request(upstream.host, stream=False).replace(b"/v1/chat", b"/v2/chat")
    with pytest.raises(LoadError, match="404 Not Found"):
        await answers_of(ClosedLoop(upstream.host, wrong, connections=1), 1)


async def test_every_load_runs_through_the_gateway(upstream: MockUpstream) -> None:
    settings = settings_for({"upstream": f"http://{upstream.host}/v1"}, models={MODEL: [f"upstream/{MODEL}"]})
    async with running_gateway(settings) as gateway:
        host = gateway.rest_url.removeprefix("http://").removesuffix("/v1")
        loads: list[Load] = [
            ClosedLoop(host, chat_request(host, stream=False), connections=2),
            ClosedLoop(host, chat_request(host, stream=True), connections=2),
            ClosedLoop(host, chat_request(host, stream=False, model="echo"), connections=2),
            OpenLoop(host, chat_request(host, stream=False), per_s=200),
            GrpcLoop(gateway.grpc_address, grpc_request().SerializeToString(), calls=2),
            StreamCalls(gateway.grpc_address, grpc_request(), count=2, stagger_s=0.001),
            SessionRequests(gateway.grpc_address, grpc_request(), count=2, stagger_s=0.001),
        ]
        for load in loads:
            await answers_of(load, 6)


async def test_a_grpc_call_that_fails_fails_the_load() -> None:
    async with running_gateway(settings_for({})) as gateway:
        load = GrpcLoop(gateway.grpc_address, grpc_request().SerializeToString(), calls=1)
        with pytest.raises(LoadError, match="NOT_FOUND"):
            await answers_of(load, 1)


@pytest.mark.parametrize("kind", [StreamCalls, SessionRequests])
async def test_streamed_answers_count_their_words(upstream: MockUpstream, kind: type[StreamedAnswers]) -> None:
    settings = settings_for({"upstream": f"http://{upstream.host}/v1"}, models={MODEL: [f"upstream/{MODEL}"]})
    async with running_gateway(settings) as gateway:
        load = kind(gateway.grpc_address, grpc_request(), count=3, stagger_s=0)
        await answers_of(load, 6)
        assert load.answers * WORDS <= load.words <= upstream.words_sent


@pytest.mark.parametrize("kind", [StreamCalls, SessionRequests])
async def test_a_streamed_answer_that_fails_fails_the_load(kind: type[StreamedAnswers]) -> None:
    async with running_gateway(settings_for({})) as gateway:
        load = kind(gateway.grpc_address, grpc_request(), count=1, stagger_s=0)
        with pytest.raises(LoadError, match="bench-model"):
            await answers_of(load, 1)


async def test_idle_sessions_stay_open() -> None:
    async with (
        running_gateway(settings_for({})) as gateway,
        IdleSessions(gateway.grpc_address, count=6, channels=2) as load,
    ):
        assert len(gateway.surface._sessions) == 6
        load.check()


async def test_the_systems_answer_and_tell_their_cost(upstream: MockUpstream) -> None:
    async with otlp_sink() as sink:
        with systems.gateway(upstream.host, core=CORE, otlp_host=sink.host) as gateway:
            await answers_of(ClosedLoop(gateway.host, chat_request(gateway.host, stream=False), connections=2), 4)
            assert 0 < gateway.ready_cpu_s <= gateway.process.cpu_s()
            assert gateway.process.rss_mb() > 1


@pytest.mark.parametrize("stream", [False, True])
async def test_the_bare_proxy_passes_answers_on(upstream: MockUpstream, *, stream: bool) -> None:
    with systems.bare_proxy(upstream.host, core=CORE) as proxy:
        await answers_of(ClosedLoop(proxy.host, chat_request(proxy.host, stream=stream), connections=2), 4)


async def test_the_grpc_echo_answers() -> None:
    with systems.grpc_echo(core=CORE) as echo:
        await answers_of(GrpcLoop(echo.grpc_host, grpc_request().SerializeToString(), calls=2), 4)


def ratio_of(gateway: list[float], baseline: list[float]) -> Ratio:
    return Ratio("cost", "us", bar=1.5, aim=1.2, gateway=gateway, baseline=baseline)


@pytest.mark.parametrize(
    ("figure", "value", "passes"),
    [
        (ratio_of([150, 90, 500], [100, 100, 100]), 1.5, True),
        (ratio_of([160, 90, 500], [100, 100, 100]), 1.6, False),
        (ratio_of([300, 100], [100, 100]), 2.0, False),
        (Limit("memory", "MB", bar=120, values=[110, 120, 130]), 120, True),
        (Limit("memory", "MB", bar=120, values=[110, 121, 130]), 121, False),
    ],
)
def test_a_figure_passes_by_its_median(figure: Ratio | Limit, value: float, passes: bool) -> None:
    assert (figure.value, figure.passes) == (value, passes)
    assert ("pass" if passes else "MISS") in table([figure]).splitlines()[1]


def test_tables_tell_medians_and_ranges() -> None:
    assert table([ratio_of([160, 90, 500], [100, 100, 100])]).splitlines()[1].split() == [
        *("cost", "160", "[90-500]", "us", "100", "[100-100]", "us", "1.6", "[0.9-5]", "x", "1.5", "1.2", "MISS"),
    ]
