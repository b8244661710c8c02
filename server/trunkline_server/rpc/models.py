"""ModelService: which models there are."""

import grpc

from trunkline.gateway import Gateway
from trunkline.running import RunningCalls
from trunkline.v1 import GetModelRequest, ListModelsRequest
from trunkline.v1.model_service_pb2 import DESCRIPTOR
from trunkline_server.rpc.call import unary

SERVICE_NAME = DESCRIPTOR.services_by_name["ModelService"].full_name


def model_service(gateway: Gateway, calls: RunningCalls) -> grpc.GenericRpcHandler:
    """Serves ModelService from a gateway."""
    return grpc.method_handlers_generic_handler(
        SERVICE_NAME,
        {
            "ListModels": unary(ListModelsRequest, gateway.list_models, calls),
            "GetModel": unary(GetModelRequest, gateway.get_model, calls),
        },
    )
