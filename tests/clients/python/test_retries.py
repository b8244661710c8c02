"""What a client does again by itself: calls that only read, and nothing that may cost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from grpc_serving import served
from scripted_gateway import ScriptedGateway, refuses
from trunkline import AsyncClient, Client
from trunkline.context import CallContext
from trunkline.errors import GatewayError, GatewayUnreachableError, ProviderUnavailableError, ShuttingDownError
from trunkline.v1 import CompleteRequest, ListModelsRequest, ListModelsResponse

REQUEST = CompleteRequest(model="m", prompt="p")
TRIES = 3


class Leaving(ScriptedGateway):
    """Refuses to list its models for a while, as a process that goes away does."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.left = refusals
        self.asked = 0

    async def list_models(self, request: ListModelsRequest, context: CallContext) -> ListModelsResponse:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise ShuttingDownError("the gateway is shutting down")
        return await super().list_models(request, context)


async def list_blocking(address: str) -> list[str]:
    def ask() -> list[str]:
        with Client(address) as client:
            return [model.id for model in client.models()]

    return await asyncio.to_thread(ask)


async def list_async(address: str) -> list[str]:
    async with AsyncClient(address) as client:
        return [model.id for model in await client.models()]


Lists = Callable[[str], Awaitable[list[str]]]
both = pytest.mark.parametrize("lists", [list_blocking, list_async], ids=["blocking", "asyncio"])


@both
async def test_reading_goes_on_when_the_gateway_is_back(lists: Lists) -> None:
    gateway = Leaving(refusals=TRIES - 1)
    async with served(gateway) as address:
        assert await lists(address) == ["a", "b", "c"]
    assert gateway.asked == TRIES + 1  # and the second page


@both
async def test_reading_is_given_up_in_the_end(lists: Lists) -> None:
    gateway = Leaving(refusals=100)
    async with served(gateway) as address:
        with pytest.raises(ShuttingDownError):
            await lists(address)
    assert gateway.asked == TRIES


@pytest.mark.parametrize(
    "error",
    [ShuttingDownError("x"), ProviderUnavailableError("x"), ProviderUnavailableError("x", retry_after_ms=1)],
    ids=["shutting down", "provider down", "with a wait"],
)
async def test_a_completion_is_never_sent_again(error: GatewayError) -> None:
    gateway = ScriptedGateway(refuses(error))
    async with served(gateway) as address, AsyncClient(address) as client:
        with pytest.raises(type(error)):
            await client.complete(REQUEST)
        with pytest.raises(type(error)):
            await client.stream(REQUEST).answer()
    assert len(gateway.requests) == 2


async def test_a_gateway_that_is_not_there_is_said_soon_enough(free_port: int) -> None:
    with pytest.raises(GatewayUnreachableError):
        await asyncio.wait_for(list_async(f"127.0.0.1:{free_port}"), 10)
