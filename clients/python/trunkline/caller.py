"""What a client says of itself with each of its calls, and how it reaches the gateway."""

import json
from dataclasses import dataclass, replace
from typing import Self

import grpc

from trunkline.context import CallContext
from trunkline.errors import GatewayError, GatewayUnreachableError
from trunkline.secret import NO_SECRET, Secret
from trunkline.service_config import SERVICE_CONFIG
from trunkline.status import from_rpc_error

DEFAULT_ADDRESS = "localhost:50051"
"""Where `trunkline serve` listens."""
DEFAULT_MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""As the gateway's own default; gRPC's is 4 MiB for what comes back."""

_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    # A model may think for minutes without a word: pings find out whether the gateway is still there, and keep
    # load balancers from closing the connection.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # the one that counts; it is a minute by default
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC's own wait grows to two minutes, for which a client does not see that the gateway is back.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # Room for the routing report of a gateway newer than this client.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What a client's calls have in common, where they don't say otherwise."""

    credential: Secret = NO_SECRET
    timeout_s: float | None = None
    """None: the gateway's own limit counts."""

    @classmethod
    def of(cls, api_key: str | Secret, timeout_s: float | None) -> Self:
        """From what a client is made with; an empty key is none."""
        return cls(credential=Secret(api_key) if isinstance(api_key, str) else api_key, timeout_s=timeout_s)

    def context(self, given: CallContext | None, *, timeout_s: float | None, request_id: str) -> CallContext:
        """The context of one call. Its own deadline and the timeout: the earlier counts."""
        context = given or CallContext()
        if request_id or not context.credential:
            context = replace(
                context,
                request_id=request_id or context.request_id,
                credential=context.credential or self.credential,
            )
        return context.with_timeout(self.timeout_s if timeout_s is None else timeout_s)


def channel_options(max_message_bytes: int) -> tuple[tuple[str, int | str], ...]:
    """How a channel to a gateway is set up."""
    return (
        *_OPTIONS,
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
    )


def channel_credentials(credentials: grpc.ChannelCredentials | None, *, tls: bool) -> grpc.ChannelCredentials | None:
    """Those given, else the system's certificates for TLS; None for a connection in clear text."""
    return grpc.ssl_channel_credentials() if tls and credentials is None else credentials


def failure_of(error: grpc.RpcError, address: str) -> GatewayError:
    """The failure that a call to `address` ended with."""
    failure = from_rpc_error(error)
    if not isinstance(failure, GatewayUnreachableError):
        return failure
    return GatewayUnreachableError(
        f"no answer from the gateway at {address or 'the address given'} ({failure.message}); "
        "check the address, whether it speaks TLS, and that the gateway runs"
    )
