"""What a transport can do: send one request to a provider and give its answer piece by piece."""

from collections.abc import Mapping
from typing import Protocol

from trunkline_server.providers.target import Provider
from trunkline_server.values.wire import WireRequest


class Exchange(Protocol):
    """One answer of a provider, being read. Errors are GatewayErrors, mapped where they arise."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    resent: bool
    """Whether the request was sent twice, because the connection that it first went out on turned out to be dead."""
    waited_ns: int
    """How long the provider took to begin its answer: from the last byte of the request to the first one of the answer,
    and to a new connection before that. What the gateway itself did meanwhile is not part of it."""

    async def read(self) -> bytes:
        """What has arrived since the last read, waiting if nothing has; empty at the end.

        Raises ProviderBadAnswerError if the connection breaks before the answer's end.
        """
        ...

    def fail(self, error: Exception) -> None:
        """Closes the connection and makes the pending read, or else the next one, raise `error`. For limits."""
        ...

    def close(self, *, linger_s: float = 0) -> None:
        """Gives the connection back if the answer was read to its end, else closes it. May be repeated.

        With `linger_s` it waits in the background that long for an end that is about to come, so that a connection
        whose answer is known to be complete can be used again.
        """
        ...


class Transport(Protocol):
    """A way to reach providers."""

    async def open(
        self, provider: Provider, request: WireRequest, headers: Mapping[str, str], *, key_index: int = 0
    ) -> Exchange:
        """Sends the request and waits for the answer's status and headers.

        `headers` are the call's own, such as traceparent; `key_index` says which of the provider's keys is sent. Raises ProviderUnavailableError if there is no answer.
        Cancelling closes the connection.
        """
        ...
