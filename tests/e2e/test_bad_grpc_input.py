"""What is wrong with a gRPC request is INVALID_ARGUMENT with the field named: never a fault, never a hang."""

import grpc
import pytest
from google.protobuf import text_format

import trunkline
from running_gateway import running_gateway, settings_for
from trunkline.errors import InvalidRequestError, NotFoundError
from trunkline.v1 import CompleteRequest, StreamCompleteRequest

USER = 'messages { role: ROLE_USER parts { text: "Hi" } }'
BAD = [
    ("", "model"),
    ('model: "echo"', "messages"),
    ('model: "echo" messages { parts { text: "Hi" } }', "messages[0].role"),
    (f'model: "echo" {USER} temperature: nan', "temperature"),
    (f'model: "echo" {USER} extensions {{ key: "echo" value: "{{\\"a\\":1,}}" }}', "extensions[echo]"),
    (f'model: "echo" {USER} tools {{ name: "f" parameters: "not json" }}', "tools[0].parameters"),
    ('model: "echo" ' + USER * 6, "messages"),
]


@pytest.mark.parametrize(("text", "field"), BAD)
async def test_a_broken_rule_is_named_on_both_rpcs(text: str, field: str) -> None:
    request = text_format.Parse(text, CompleteRequest())
    settings = settings_for({}, limits={"max_messages": 5})
    async with running_gateway(settings) as gateway, trunkline.AsyncClient(gateway.grpc_address) as client:
        for answer in (client.complete(request), client.stream(request).answer()):
            with pytest.raises(InvalidRequestError) as caught:
                await answer
            assert caught.value.violations[0].field == field
        assert all(record.failure is not None for record in gateway.ledger.records)


async def test_an_unknown_model_is_not_found() -> None:
    async with running_gateway(settings_for({})) as gateway, trunkline.AsyncClient(gateway.grpc_address) as client:
        with pytest.raises(NotFoundError, match="nosuch"):
            await client.ask("nosuch", "Hi")


NESTED = b"\x1a\x04" * 200  # messages within messages, far deeper than the contract
RAW = [b"\xff\xff\xff", b"\x0a\x02\xff\xfe", NESTED, StreamCompleteRequest().SerializeToString()]


async def by_unary(channel: grpc.aio.Channel, path: str, data: bytes) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
    await call(data, timeout=5)


async def by_stream(channel: grpc.aio.Channel, path: str, data: bytes) -> None:
    call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path)
    await call(data, timeout=5).read()


@pytest.mark.parametrize("data", RAW)
@pytest.mark.parametrize("method", ["Complete", "StreamComplete"])
async def test_bytes_that_are_no_request_are_refused(method: str, data: bytes) -> None:
    async with running_gateway(settings_for({})) as gateway:
        async with grpc.aio.insecure_channel(gateway.grpc_address) as channel:
            path = f"/trunkline.v1.CompletionService/{method}"
            ask = by_unary if method == "Complete" else by_stream
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ask(channel, path, data)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
