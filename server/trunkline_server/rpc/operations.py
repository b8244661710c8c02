"""OperationsService: how the gateway is doing."""

import grpc

from trunkline.gateway import Gateway
from trunkline.running import RunningCalls
from trunkline.v1 import GetMetricsRequest, ListRunningRequestsRequest, ListTargetsRequest
from trunkline.v1.operations_service_pb2 import DESCRIPTOR
from trunkline_server.rpc.call import unary

SERVICE_NAME = DESCRIPTOR.services_by_name["OperationsService"].full_name


def operations_service(gateway: Gateway, calls: RunningCalls) -> grpc.GenericRpcHandler:
    """Serves OperationsService from a gateway."""
    return grpc.method_handlers_generic_handler(
        SERVICE_NAME,
        {
            "ListTargets": unary(ListTargetsRequest, gateway.list_targets, calls),
            "GetMetrics": unary(GetMetricsRequest, gateway.get_metrics, calls),
            "ListRunningRequests": unary(ListRunningRequestsRequest, gateway.list_running_requests, calls),
        },
    )
