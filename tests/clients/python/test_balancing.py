"""Several gateways under one name: who is asked, who is left alone, and what is tried again."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from grpc_serving import MAX_MESSAGE_BYTES, becomes_true
from repository import ROOT
from scripted_gateway import ScriptedGateway, hangs_after, refuses
from trunkline import AsyncClient
from trunkline.errors import GatewayError, ProviderUnavailableError, ShuttingDownError
from trunkline.service_config import SERVICE_CONFIG
from trunkline_server.rpc.server import GrpcSurface


async def started(stack: AsyncExitStack, gateway: ScriptedGateway) -> tuple[GrpcSurface, int]:
    """A surface that is stopped with the stack, and its port."""
    surface = GrpcSurface(gateway, max_message_bytes=MAX_MESSAGE_BYTES)
    port = await surface.start("127.0.0.1", 0)
    stack.push_async_callback(surface.stop)
    return surface, port


async def test_calls_go_to_all_gateways_in_turn_and_not_to_one_that_drains() -> None:
    async with AsyncExitStack() as stack:
        gateways = [ScriptedGateway(), ScriptedGateway()]
        (first, one), (_, two) = [await started(stack, gateway) for gateway in gateways]
        address = f"ipv4:127.0.0.1:{one},127.0.0.1:{two}"
        async with AsyncClient(address) as client:
            # Until both are connected, all go to one.
            while not all(gateway.requests for gateway in gateways):
                await client.ask("m", "p")
            counts = [len(gateway.requests) for gateway in gateways]
            for _ in range(10):
                await client.ask("m", "p")
            assert [len(gateway.requests) for gateway in gateways] == [count + 5 for count in counts]

            await first.drain(0)
            counts = [len(gateway.requests) for gateway in gateways]
            for _ in range(6):
                await client.ask("m", "p")
            assert [len(gateway.requests) for gateway in gateways] == [counts[0], counts[1] + 6]


@pytest.mark.parametrize("failure", [ProviderUnavailableError("down"), ShuttingDownError("going")])
async def test_a_completion_that_a_gateway_has_seen_is_not_sent_again(failure: GatewayError) -> None:
    async with AsyncExitStack() as stack:
        gateway = ScriptedGateway(refuses(failure))
        _, port = await started(stack, gateway)
        async with AsyncClient(f"127.0.0.1:{port}") as client:
            with pytest.raises(type(failure)):
                await client.ask("m", "p")
    assert len(gateway.requests) == 1


async def test_a_completion_whose_connection_breaks_is_not_sent_again() -> None:
    """It may have been answered, and paid for."""
    async with AsyncExitStack() as stack:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            upwards = asyncio.create_task(_carry(reader, back))
            downwards = asyncio.create_task(_carry(there, writer))
            await gateway.begun.wait()
            writer.transport.abort()
            await asyncio.gather(upwards, downwards, return_exceptions=True)

        gateway = ScriptedGateway(hangs_after())
        _, port = await started(stack, gateway)
        relay = await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0))
        async with AsyncClient(f"127.0.0.1:{relay.sockets[0].getsockname()[1]}") as client:
            with pytest.raises(GatewayError):
                await client.ask("m", "p")
        assert await becomes_true(lambda: gateway.endings == ["left"])
    assert len(gateway.requests) == 1


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def test_the_documentation_prints_the_service_config_that_is_shipped() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("<!-- service config -->\n\n```json\n")
    assert json.loads(rest.partition("```")[0]) == SERVICE_CONFIG
