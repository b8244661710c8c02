"""Every RPC of the contract is served."""

import grpc
import pytest
from google.protobuf import descriptor_pool

from grpc_serving import channel_to, served
from scripted_gateway import ScriptedGateway
from trunkline_server.rpc.server import SERVICE_NAMES

METHODS = [
    f"/{name}/{method.name}"
    for name in SERVICE_NAMES
    for method in descriptor_pool.Default().FindServiceByName(name).methods
    if name.startswith("trunkline.")
]


@pytest.mark.parametrize("path", METHODS)
async def test_the_method_is_served_and_needs_a_key(path: str) -> None:
    async with served(ScriptedGateway(key="k")) as address, channel_to(address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            # Field 1 of all these requests is a string or message, or absent.
            await call(b"\x0a\x00" if "Complete" in path or "Get" in path else b"")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
