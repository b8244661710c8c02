"""What a dialect can do whose API counts tokens."""

from typing import Protocol

from trunkline.v1 import CompleteRequest, CountTokensResponse
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest


class TokenCounter(Protocol):
    """Asks providers how many input tokens a request has. Failures are read by `Dialect.error`."""

    def encode_count(self, request: CompleteRequest, target: Target) -> WireRequest | None:
        """The call that counts; None: this target's provider has none. Raises as `Dialect.encode` does."""
        ...

    def read_count(self, body: bytes) -> CountTokensResponse:
        """The count that a provider answered with. Raises MalformedFrameError."""
        ...
