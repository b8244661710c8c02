"""The least that a unary call on grpc.aio costs: a CompleteRequest in, a CompleteResponse out, nothing between.

Run as `python -m benchmarks.grpc_echo`, it prints the address it listens on and serves until it is ended.
"""

from typing import Final

import grpc
import uvloop

from benchmarks.payloads import grpc_answer
from trunkline.v1 import CompleteRequest, CompleteResponse
from trunkline.v1.completion_service_pb2 import DESCRIPTOR

ANSWER: Final = grpc_answer()
SERVICE: Final = DESCRIPTOR.services_by_name["CompletionService"].full_name


async def complete(
    request: CompleteRequest, context: "grpc.aio.ServicerContext[CompleteRequest, CompleteResponse]"
) -> CompleteResponse:
    """Answers every call alike."""
    return ANSWER


async def serve() -> None:
    """Until the process is ended."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler: grpc.RpcMethodHandler[CompleteRequest, CompleteResponse] = grpc.unary_unary_rpc_method_handler(
        complete,
        request_deserializer=CompleteRequest.FromString,
        response_serializer=CompleteResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Complete": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve())
