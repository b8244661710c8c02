"""What any gRPC client of a gateway should be set up with, in whatever language: how to balance and what to retry.

The format: https://github.com/grpc/grpc/blob/master/doc/service_config.md.
"""

from collections.abc import Mapping
from typing import Final

# Only what reads is tried again. UNAVAILABLE does not tell whether a completion ran: a provider's failure has the same
# status as a connection that broke off in the middle of a paid answer. The gateway tries again itself where that helps,
# and gRPC, unasked, where a call has not reached a gateway's code: "transparent retries" in
# https://github.com/grpc/proposal/blob/master/A6-client-retries.md.
SERVICE_CONFIG: Final[Mapping[str, object]] = {
    # All addresses that a name has are used in turn, and a gateway that drains tells so by its health.
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},
    "methodConfig": [
        {
            "name": [
                {"service": "trunkline.v1.ModelService"},
                {"service": "trunkline.v1.OperationsService"},
                {"service": "trunkline.v1.CompletionService", "method": "CountTokens"},
            ],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.2s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
"""As a mapping that JSON can be made of."""
