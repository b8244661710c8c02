"""What a call carries besides its message reaches the gateway, and its request id comes back."""

import time

import grpc
import pytest

from grpc_serving import channel_to, served
from scripted_gateway import ScriptedGateway
from trunkline.context import CallContext, is_request_id
from trunkline.secret import Secret
from trunkline.status import from_rpc_error
from trunkline.v1 import (
    CompleteRequest,
    CompletionServiceStub,
    GetModelRequest,
    ListModelsRequest,
    ModelServiceStub,
    Priority,
    StreamCompleteRequest,
)
from trunkline_server.rpc.call import peer_ip

EVERYTHING = [
    ("authorization", "Bearer sk-1"),
    ("x-request-id", "req-7"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("tracestate", "a=1"),
    ("baggage", "b=2"),
    ("idempotency-key", "idem"),
    ("x-trunkline-strict", "true"),
    ("x-trunkline-priority", "high"),
]


async def test_all_of_it_reaches_the_gateway() -> None:
    gateway = ScriptedGateway()
    request = CompleteRequest(model="m", prompt="p")
    async with served(gateway) as address, channel_to(address) as channel:
        await CompletionServiceStub(channel).Complete(request, metadata=EVERYTHING)
    assert gateway.contexts == [
        CallContext(
            request_id="req-7",
            credential=Secret("sk-1"),
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            tracestate="a=1",
            baggage="b=2",
            idempotency_key="idem",
            strict=True,
            priority=Priority.PRIORITY_HIGH,
            client_address="127.0.0.1",
            size_bytes=request.ByteSize(),
        )
    ]


async def test_a_split_bridge_may_say_whom_it_calls_for() -> None:
    gateway = ScriptedGateway()
    async with served(gateway) as address, channel_to(address) as channel:
        metadata = [("x-trunkline-client-address", "192.0.2.7")]
        await CompletionServiceStub(channel).Complete(CompleteRequest(), metadata=metadata)
    assert gateway.contexts[0].client_address == "192.0.2.7"


async def test_the_clients_deadline_is_the_contexts() -> None:
    gateway = ScriptedGateway()
    async with served(gateway) as address, channel_to(address) as channel:
        stub = CompletionServiceStub(channel)
        await stub.Complete(CompleteRequest(), timeout=20)
        await stub.Complete(CompleteRequest())
    with_timeout, without = gateway.contexts
    assert with_timeout.deadline == pytest.approx(time.monotonic() + 20, abs=1)
    assert without.deadline is None


@pytest.mark.parametrize(
    ("given", "kept"), [("mine-1", True), ("", False), ("no spaces please", False), ("x" * 129, False)]
)
async def test_a_request_id_is_kept_or_made_and_comes_back(given: str, kept: bool) -> None:
    gateway = ScriptedGateway()
    metadata = [("x-request-id", given)] if given else []
    async with served(gateway) as address, channel_to(address) as channel:
        stub = CompletionServiceStub(channel)
        whole = stub.Complete(CompleteRequest(), metadata=metadata)
        stream = stub.StreamComplete(StreamCompleteRequest(request=CompleteRequest()), metadata=metadata)
        await whole
        [_ async for _ in stream]
        returned = [(await call.trailing_metadata())["x-request-id"] for call in (whole, stream)]
    assert sorted(map(str, returned)) == sorted(context.request_id for context in gateway.contexts)
    assert [is_request_id(str(found)) for found in returned] == [True, True]
    assert (returned == [given, given]) is kept


@pytest.mark.parametrize("name", ["x-trunkline-strict", "x-trunkline-priority"])
async def test_a_value_that_means_nothing_is_refused(name: str) -> None:
    gateway = ScriptedGateway()
    async with served(gateway) as address, channel_to(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CompletionServiceStub(channel).Complete(CompleteRequest(), metadata=[(name, "perhaps")])
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in from_rpc_error(caught.value).violations] == [name]
    assert gateway.contexts == []


async def test_baggage_may_be_as_large_as_w3c_allows() -> None:
    """8192 bytes: https://www.w3.org/TR/baggage/#limits."""
    gateway = ScriptedGateway()
    baggage = "k=" + "v" * 8190
    async with served(gateway) as address, channel_to(address) as channel:
        await CompletionServiceStub(channel).Complete(CompleteRequest(), metadata=[("baggage", baggage)])
    assert gateway.contexts[0].baggage == baggage


async def test_models_are_asked_for_with_the_context() -> None:
    gateway = ScriptedGateway(models=["a", "b", "c"], key="k")
    metadata = [("authorization", "Bearer k")]
    async with served(gateway) as address, channel_to(address) as channel:
        stub = ModelServiceStub(channel)
        first = await stub.ListModels(ListModelsRequest(), metadata=metadata)
        second = await stub.ListModels(ListModelsRequest(page_token=first.next_page_token), metadata=metadata)
        one = await stub.GetModel(GetModelRequest(id="b"), metadata=metadata)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetModel(GetModelRequest(id="d"), metadata=metadata)
    assert [model.id for page in (first, second) for model in page.models] == ["a", "b", "c"]
    assert one.model.id == "b"
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("peer", "ip"),
    [
        ("ipv4:10.0.0.7:51234", "10.0.0.7"),
        ("ipv6:%5B2001:db8::1%5D:51234", "2001:db8::1"),
        ("ipv6:[fe80::1%25eth0]:51234", "fe80::1%eth0"),
        ("unix:/run/trunkline.sock", ""),
        ("unix-abstract:trunkline", ""),
        ("", ""),
    ],
)
def test_the_peers_address_is_its_ip(peer: str, ip: str) -> None:
    assert peer_ip(peer) == ip
