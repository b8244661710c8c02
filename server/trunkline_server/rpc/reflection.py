"""grpc.reflection: the contract told to tools such as grpcurl, if they bring a key."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from grpc_reflection.v1alpha import reflection

from trunkline.errors import GatewayError
from trunkline.gateway import Gateway
from trunkline.v1 import ListModelsRequest
from trunkline_server.rpc.call import Context, abort, read_context

SERVICE_NAME: str = reflection.SERVICE_NAME


class KeyedReflection(reflection.aio.ReflectionServicer):  # type: ignore[misc] # grpc_reflection ships no types
    """Reflection for callers whose key may list models: like every call but health, it needs a key if keys exist."""

    def __init__(self, gateway: Gateway, service_names: Sequence[str]) -> None:
        super().__init__(service_names)
        self._gateway = gateway

    async def ServerReflectionInfo(self, request_iterator: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        try:
            await self._gateway.list_models(ListModelsRequest(page_size=1), read_context(context))
        except GatewayError as error:
            await abort(context, error)
        async for response in super().ServerReflectionInfo(request_iterator, context):
            yield response
