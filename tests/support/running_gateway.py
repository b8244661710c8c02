"""A whole gateway on loopback: the real engine and both surfaces, in this process, as `trunkline serve` runs them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from trunkline.channel import ChannelGateway, open_channel
from trunkline.gateway import Gateway
from trunkline_bridge.app import create_app, create_runner
from trunkline_cli.run import bridge_settings
from trunkline_server.app import Core, open_core
from trunkline_server.config.settings import Settings
from trunkline_server.ledger.ledger import Ledger
from trunkline_server.rpc.server import GrpcSurface
from trunkline_server.values.record import RequestRecord

Form = Literal["in process", "over gRPC"]
FORMS: tuple[Form, ...] = ("in process", "over gRPC")
"""How the bridge reaches the engine; every test of the bridge runs over both."""


@dataclass
class MemoryLedger:
    """Keeps the records of settled requests."""

    records: list[RequestRecord] = field(default_factory=list)

    def record(self, record: RequestRecord) -> None:
        self.records.append(record)

    async def close(self) -> None:
        pass


@dataclass
class RunningGateway:
    """Where it is and what can be seen of it."""

    rest_url: str
    """With /v1."""
    grpc_address: str
    core: Core
    ledger: MemoryLedger
    surface: GrpcSurface


def settings_for(
    upstreams: Mapping[str, str],
    *,
    models: Mapping[str, Sequence[str]] | None = None,
    api_key: str = "",
    kind: str = "openai_compatible",
    **more: object,
) -> Settings:
    """Providers of this kind at these addresses; model "m" is tried on each of them in order.

    Nothing is retried unless `more` says so: most tests are about what one call does.
    """
    routes = models or {"m": [f"{name}/m" for name in upstreams]}
    values: dict[str, Any] = {
        "retries": {"max_retries": 0},
        "rest": {"port": 0},
        "grpc": {"port": 0},
        "providers": {
            name: {"kind": kind, "base_url": url, "api_key": api_key or f"sk-{name}"} for name, url in upstreams.items()
        },
        "models": {name: {"targets": list(targets)} for name, targets in routes.items() if targets},
        **more,
    }
    return Settings.model_validate(values)


@asynccontextmanager
async def running_gateway(
    settings: Settings, *, form: Form = "in process", ledger: Ledger | None = None
) -> AsyncIterator[RunningGateway]:
    """Runs it; leaving stops it at once. Records go to `ledger`, or else to one in memory."""
    kept = MemoryLedger()
    ledger = ledger or kept
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(open_core(settings, ledger))
        surface = core.grpc_surface()
        address = f"127.0.0.1:{await surface.start('127.0.0.1', 0)}"
        stack.push_async_callback(surface.stop)
        gateway: Gateway = core.engine
        if form == "over gRPC":
            channel = await stack.enter_async_context(open_channel(address))
            gateway = ChannelGateway(channel, address=address)
        runner = create_runner(create_app(gateway, bridge_settings(settings, keyless=not settings.keys), core.tracer))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        rest_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield RunningGateway(rest_url, address, core, kept, surface)
