"""A bridge that serves a scripted gateway on loopback, and the clients that talk to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from openai import AsyncOpenAI

from fake_gateway import FakeGateway, greeting
from trunkline.channel import ChannelGateway, open_channel
from trunkline.gateway import Gateway
from trunkline_bridge.app import create_app, create_runner
from trunkline_bridge.settings import BridgeSettings
from trunkline_server.rpc.server import GrpcSurface

GatewayForm = Callable[[FakeGateway], AbstractAsyncContextManager[Gateway]]
Served = Callable[[FakeGateway, BridgeSettings], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def in_process(gateway: FakeGateway) -> AsyncIterator[Gateway]:
    yield gateway


@asynccontextmanager
async def over_grpc(gateway: FakeGateway) -> AsyncIterator[Gateway]:
    surface = GrpcSurface(gateway, max_message_bytes=64 * 1024 * 1024)
    address = f"127.0.0.1:{await surface.start('127.0.0.1', 0)}"
    async with open_channel(address) as channel:
        yield ChannelGateway(channel, address=address)
        await surface.stop()


# The ways by which a bridge reaches its gateway: every test that asks for `base_url` or `serve` runs over each.
FORMS: dict[str, GatewayForm] = {"in_process": in_process, "over_grpc": over_grpc}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> GatewayForm:
    return FORMS[request.param]


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway(script=greeting())


@pytest.fixture
def settings() -> BridgeSettings:
    """A module overrides it where its tests need other limits."""
    return BridgeSettings()


@pytest.fixture
def serve(form: GatewayForm) -> Served:
    """Serves a gateway for as long as a test likes; gives the URL without a path."""

    @asynccontextmanager
    async def served(gateway: FakeGateway, settings: BridgeSettings) -> AsyncIterator[str]:
        async with form(gateway) as reached:
            runner = create_runner(create_app(reached, settings))
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                host, port = runner.addresses[0][:2]
                yield f"http://{host}:{port}"
            finally:
                await runner.cleanup()

    return served


@pytest.fixture
async def base_url(serve: Served, gateway: FakeGateway, settings: BridgeSettings) -> AsyncIterator[str]:
    async with serve(gateway, settings) as url:
        yield url


@pytest.fixture
async def http(base_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain client whose paths are relative to the bridge."""
    async with aiohttp.ClientSession(base_url) as session:
        yield session


@pytest.fixture
async def openai(base_url: str) -> AsyncIterator[AsyncOpenAI]:
    """The real SDK."""
    async with AsyncOpenAI(base_url=f"{base_url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client
