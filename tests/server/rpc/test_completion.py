"""Completions over a real channel: what goes out, and the status that each way to fail ends with."""

import logging
from collections.abc import AsyncIterable

import grpc
import pytest

from grpc_serving import MAX_MESSAGE_BYTES, channel_to, served
from scripted_gateway import Batches, Script, ScriptedGateway, batches_of, breaks_off, refuses
from trunkline.errors import InternalError, ProviderThrottledError, RateLimitedError
from trunkline.status import DETAILS_KEY, from_rpc_error
from trunkline.v1 import (
    CompleteRequest,
    CompletionServiceStub,
    Event,
    RoutingReport,
    StreamCompleteRequest,
    StreamCompleteResponse,
)

PROMPT = "a prompt that no log shows"
STREAM_REQUEST = StreamCompleteRequest(request=CompleteRequest(model="m", prompt=PROMPT))


async def streamed(address: str, request: StreamCompleteRequest = STREAM_REQUEST) -> list[StreamCompleteResponse]:
    """All batches of one answer."""
    async with channel_to(address) as channel:
        return [batch async for batch in CompletionServiceStub(channel).StreamComplete(request)]


async def broken_stream(
    script: Script, request: StreamCompleteRequest = STREAM_REQUEST
) -> tuple[list[StreamCompleteResponse], grpc.aio.AioRpcError]:
    """The batches that came before a stream failed, and how it did."""
    batches: list[StreamCompleteResponse] = []
    async with served(ScriptedGateway(script)) as address, channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(request)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_into(batches, call)
    return batches, caught.value


async def read_into(batches: list[StreamCompleteResponse], call: AsyncIterable[StreamCompleteResponse]) -> None:
    """Keeps what comes before a failure."""
    async for batch in call:
        batches.append(batch)  # noqa: PERF401 a comprehension would lose them all


async def test_a_whole_answer_comes_as_the_gateway_gave_it() -> None:
    gateway = ScriptedGateway()
    request = CompleteRequest(model="m", prompt=PROMPT)
    async with served(gateway) as address, channel_to(address) as channel:
        answer = await CompletionServiceStub(channel).Complete(request)
    assert answer.choices[0].message.parts[0].text == "Hello there"
    assert gateway.requests == [request]


async def test_batches_come_as_the_gateway_gave_them() -> None:
    gateway = ScriptedGateway()
    async with served(gateway) as address:
        assert await streamed(address) == batches_of("Hello ", "there")
    assert gateway.requests == [STREAM_REQUEST.request]
    assert gateway.endings == ["whole"]


async def test_a_failure_is_a_status_with_details_and_report() -> None:
    error = RateLimitedError("slow down", retry_after_ms=1500, target="p/m")
    error.report = RoutingReport(route="fast", overhead_us=7)
    async with served(ScriptedGateway(refuses(error))) as address, channel_to(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CompletionServiceStub(channel).Complete(CompleteRequest(model="m"))
    failure = from_rpc_error(caught.value)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.details() == "slow down"
    assert failure.to_failure() == error.to_failure()
    assert failure.report == error.report


async def test_a_refusal_before_the_first_batch_is_the_status_alone() -> None:
    error = ProviderThrottledError("all targets cool down", retry_after_ms=900)
    batches, caught = await broken_stream(refuses(error))
    assert batches == []
    assert from_rpc_error(caught).to_failure() == error.to_failure()


async def test_a_stream_that_fails_ends_with_failed_and_the_same_as_status() -> None:
    error = ProviderThrottledError("all targets cool down", retry_after_ms=900)
    batches, caught = await broken_stream(breaks_off(error, "Hel"))
    failures = [event.failed.failure for batch in batches for event in batch.events if event.HasField("failed")]
    assert failures == [error.to_failure()]
    assert from_rpc_error(caught).to_failure() == error.to_failure()


async def test_a_defect_ends_a_stream_with_a_typed_error_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def script(request: CompleteRequest) -> Batches:
        yield batches_of("Hel")[0]
        raise RuntimeError(f"cannot translate {request.prompt}")

    with caplog.at_level(logging.DEBUG):
        batches, caught = await broken_stream(script)
    last = batches[-1].events[0]
    assert batches[-1].first_event == 3
    assert last.failed.failure == from_rpc_error(caught).to_failure()
    assert isinstance(from_rpc_error(caught), InternalError)
    assert "RuntimeError" in caplog.text
    assert "in script" in caplog.text
    assert PROMPT not in caplog.text + str(caught.details()) + str(last)


async def test_a_defect_in_a_whole_answer_tells_nothing_either(caplog: pytest.LogCaptureFixture) -> None:
    async def script(request: CompleteRequest) -> Batches:
        raise LookupError(request.prompt)
        yield StreamCompleteResponse()

    async with served(ScriptedGateway(script)) as address, channel_to(address) as channel:
        with caplog.at_level(logging.DEBUG), pytest.raises(grpc.aio.AioRpcError) as caught:
            await CompletionServiceStub(channel).Complete(
                CompleteRequest(prompt=PROMPT), metadata=[("x-request-id", "mine")]
            )
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "request mine failed by a defect of the gateway: LookupError" in caplog.text
    assert PROMPT not in caplog.text + str(caught.value)


@pytest.mark.parametrize(
    "given",
    [[], batches_of("Hello")[:1], batches_of("Hello")[:2], [StreamCompleteResponse()]],
    ids=["nothing", "started", "half", "empty"],
)
async def test_a_stream_without_finished_is_never_ok(given: list[StreamCompleteResponse]) -> None:
    async def script(request: CompleteRequest) -> Batches:
        for batch in given:
            yield batch

    batches, caught = await broken_stream(script)
    assert caught.code() is grpc.StatusCode.INTERNAL
    assert batches[: len(given)] == given
    assert [event.HasField("failed") for batch in batches[len(given) :] for event in batch.events] == [True] * bool(
        given
    )


async def test_a_stream_must_ask_for_something() -> None:
    batches, caught = await broken_stream(refuses(InternalError("not reached")), StreamCompleteRequest())
    assert batches == []
    assert caught.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in from_rpc_error(caught).violations] == ["request"]


@pytest.mark.parametrize("method", ["Complete", "StreamComplete"])
@pytest.mark.parametrize("data", [b"\x0a\x03\xff\xfe\xfd", b"\x0a\x7fcut", b"\xff"], ids=["not utf-8", "cut", "no tag"])
async def test_bytes_that_are_no_request_are_an_invalid_argument(method: str, data: bytes) -> None:
    async with served(ScriptedGateway()) as address, channel_to(address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
        call = channel.unary_unary(f"/trunkline.v1.CompletionService/{method}")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(data)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in from_rpc_error(caught.value).violations] == ["request"]


async def test_a_request_beyond_the_limit_is_refused() -> None:
    gateway = ScriptedGateway()
    async with served(gateway) as address, grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CompletionServiceStub(channel).Complete(CompleteRequest(prompt="x" * MAX_MESSAGE_BYTES))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert gateway.requests == []


async def test_a_request_larger_than_grpcs_own_limit_is_taken() -> None:
    """The server's limit counts, not the 4 MiB that gRPC has by default."""
    size = 5 * 1024 * 1024
    gateway = ScriptedGateway()
    async with served(gateway, max_message_bytes=2 * size) as address, grpc.aio.insecure_channel(address) as channel:
        await CompletionServiceStub(channel).Complete(CompleteRequest(prompt="x" * size))
    assert len(gateway.requests[0].prompt) == size


async def test_an_answer_beyond_the_limit_fails_and_frees_the_call() -> None:
    async def script(request: CompleteRequest) -> Batches:
        yield StreamCompleteResponse(events=[Event(text="x" * 2 * MAX_MESSAGE_BYTES)])

    gateway = ScriptedGateway(script)
    async with served(gateway) as address, grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CompletionServiceStub(channel).Complete(CompleteRequest())
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(aiter(CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(gateway.endings) == 2


async def test_a_plain_grpc_client_reads_the_failure_without_our_package() -> None:
    """The details are google.rpc.Status, as every gRPC library knows it."""
    from google.rpc import error_details_pb2, status_pb2  # noqa: PLC0415 the point of this test alone

    error = RateLimitedError("slow down", retry_after_ms=1500)
    _, caught = await broken_stream(refuses(error))
    raw = dict(caught.trailing_metadata())[DETAILS_KEY]
    status = status_pb2.Status.FromString(raw)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert [detail.Unpack(kind) for detail, kind in zip(status.details, (info, retry), strict=True)] == [True, True]
    assert (status.code, info.reason, info.domain) == (8, "RATE_LIMITED", "trunkline")
    assert retry.retry_delay.ToMilliseconds() == 1500
