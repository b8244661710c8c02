"""What the blocking client puts on the wire and makes of what comes back, by grpc_testing's channel: no sockets."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import grpc_testing
import pytest
from google.protobuf.descriptor import MethodDescriptor

from scripted_gateway import batches_of
from trunkline import CallContext, Client, errors
from trunkline.errors import BY_REASON, GatewayError
from trunkline.metadata import REQUEST_ID
from trunkline.status import status_code, status_message, trailers
from trunkline.v1 import (
    CompleteRequest,
    CompleteResponse,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    Model,
    Priority,
    StreamCompleteRequest,
    completion_service_pb2,
    model_service_pb2,
)

COMPLETION = completion_service_pb2.DESCRIPTOR.services_by_name["CompletionService"]
MODELS = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"]
REQUEST = CompleteRequest(model="m", prompt="p")
OK = (grpc.StatusCode.OK, "")


class Wire:
    """A client, the channel it calls on, and a thread to call in."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.channel = grpc_testing.channel([COMPLETION, MODELS], grpc_testing.strict_real_time())
        self.client = Client("gateway:50051", api_key="sk-1", channel=self.channel)
        self._threads = threads

    def begin(self, use: Callable[[Client], Any]) -> Future[Any]:
        """Starts a call."""
        return self._threads.submit(use, self.client)

    def take(self, method: MethodDescriptor) -> tuple[dict[str, str], Any, Any]:
        """The call as it stands on the wire: metadata, request, and the way to answer."""
        taken = self.channel.take_unary_stream if method.name.startswith("Stream") else self.channel.take_unary_unary
        metadata, request, rpc = taken(method)
        rpc.send_initial_metadata(())
        return {name: value for name, value in metadata if not name.startswith("grpc.")}, request, rpc


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A client whose calls the test answers by hand."""
    with ThreadPoolExecutor() as threads:
        yield Wire(threads)


def test_a_whole_answer(wire: Wire) -> None:
    answered = wire.begin(lambda client: client.complete(REQUEST))
    metadata, request, rpc = wire.take(COMPLETION.methods_by_name["Complete"])
    response = CompleteResponse(id="r")
    rpc.terminate(response, (), *OK)
    assert answered.result(1) == response
    assert request == REQUEST
    assert metadata == {"authorization": "Bearer sk-1"}


def test_all_of_a_context_goes_out(wire: Wire) -> None:
    context = CallContext(
        request_id="r",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate="a=1",
        baggage="b=2",
        idempotency_key="idem",
        strict=True,
        priority=Priority.PRIORITY_HIGH,
    )
    answered = wire.begin(lambda client: client.complete(REQUEST, context=context))
    metadata, _, rpc = wire.take(COMPLETION.methods_by_name["Complete"])
    rpc.terminate(CompleteResponse(), (), *OK)
    answered.result(1)
    assert metadata == {
        "authorization": "Bearer sk-1",
        "x-request-id": "r",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "a=1",
        "baggage": "b=2",
        "idempotency-key": "idem",
        "x-trunkline-strict": "true",
        "x-trunkline-priority": "high",
    }


def test_a_stream(wire: Wire) -> None:
    read = wire.begin(lambda client: "".join(client.stream(REQUEST, request_id="mine").texts()))
    metadata, request, rpc = wire.take(COMPLETION.methods_by_name["StreamComplete"])
    for batch in batches_of("Hello ", "there"):
        rpc.send_response(batch)
    rpc.terminate((), *OK)
    assert read.result(1) == "Hello there"
    assert request == StreamCompleteRequest(request=REQUEST)
    assert metadata == {"authorization": "Bearer sk-1", "x-request-id": "mine"}


@pytest.mark.parametrize("sent", [0, 1, 3])
def test_a_stream_that_ends_early_is_never_whole(wire: Wire, sent: int) -> None:
    read = wire.begin(lambda client: client.stream(REQUEST).answer())
    _, _, rpc = wire.take(COMPLETION.methods_by_name["StreamComplete"])
    for batch in batches_of("Hello ", "there")[:sent]:
        rpc.send_response(batch)
    rpc.terminate((), *OK)
    assert isinstance(read.exception(1), errors.InternalError)


def test_closing_a_stream_cancels_the_call(wire: Wire) -> None:
    def use(client: Client) -> None:
        with client.stream(REQUEST) as answer:
            next(answer)

    left = wire.begin(use)
    _, _, rpc = wire.take(COMPLETION.methods_by_name["StreamComplete"])
    rpc.send_response(batches_of("Hello")[0])
    left.result(1)
    rpc.cancelled()  # Returns once the call is cancelled.


@pytest.mark.parametrize("cls", [*BY_REASON.values(), GatewayError])
@pytest.mark.parametrize("name", ["Complete", "StreamComplete"])
def test_every_failure_is_raised_as_its_class(wire: Wire, name: str, cls: type[GatewayError]) -> None:
    error = cls("what failed", retry_after_ms=10)
    use = (lambda c: c.complete(REQUEST)) if name == "Complete" else (lambda c: c.stream(REQUEST).answer())
    answered = wire.begin(use)
    _, _, rpc = wire.take(COMPLETION.methods_by_name[name])
    told = ((REQUEST_ID, "req_from_gateway"), *trailers(error))
    ending = (told, status_code(error), status_message(error))
    if name == "Complete":
        rpc.terminate(None, *ending)
    else:
        rpc.terminate(*ending)
    raised = answered.exception(1)
    assert type(raised) is cls
    assert raised.to_failure() == error.to_failure()
    assert raised.request_id == "req_from_gateway"


def test_an_unreachable_gateway_is_named(wire: Wire) -> None:
    answered = wire.begin(lambda client: client.complete(REQUEST))
    _, _, rpc = wire.take(COMPLETION.methods_by_name["Complete"])
    rpc.terminate(None, (), grpc.StatusCode.UNAVAILABLE, "connection refused")
    raised = answered.exception(1)
    assert isinstance(raised, errors.GatewayUnreachableError)
    assert "gateway:50051 (connection refused)" in str(raised)


def test_models_follows_the_pages(wire: Wire) -> None:
    method = MODELS.methods_by_name["ListModels"]
    listed = wire.begin(lambda client: client.models())
    sent, asked = [], []
    for page_token, names in (("t1", ["a", "b"]), ("t2", []), ("", ["c"])):
        metadata, request, rpc = wire.take(method)
        sent.append(metadata)
        asked.append(request)
        models = [Model(id=name) for name in names]
        rpc.terminate(ListModelsResponse(models=models, next_page_token=page_token), (), *OK)
    assert [model.id for model in listed.result(1)] == ["a", "b", "c"]
    assert sent == [{"authorization": "Bearer sk-1"}] * 3
    assert asked == [ListModelsRequest(page_token=token) for token in ("", "t1", "t2")]


def test_one_model(wire: Wire) -> None:
    found = wire.begin(lambda client: client.model("b"))
    _, request, rpc = wire.take(MODELS.methods_by_name["GetModel"])
    rpc.terminate(GetModelResponse(model=Model(id="b", owner="o")), (), *OK)
    assert found.result(1) == Model(id="b", owner="o")
    assert request == GetModelRequest(id="b")


def test_the_key_is_in_no_repr(wire: Wire) -> None:
    assert "sk-1" not in f"{wire.client!r}{vars(wire.client)!r}"
