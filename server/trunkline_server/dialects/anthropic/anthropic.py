"""The hooks of the dialect."""

from collections.abc import Mapping

from trunkline.errors import GatewayError
from trunkline.v1 import CompleteRequest, CountTokensResponse
from trunkline_server.dialects.anthropic.counting import encode_count, read_count
from trunkline_server.dialects.anthropic.decode import MessageDecoder
from trunkline_server.dialects.anthropic.encode import encode_request
from trunkline_server.dialects.anthropic.errors import read_error
from trunkline_server.dialects.anthropic.names import DIALECT
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest


class Anthropic:
    """The Messages API, of Anthropic and of Vertex AI, told apart by `ProviderKind.anthropic`."""

    name = DIALECT

    def encode(self, request: CompleteRequest, target: Target, *, stream: bool) -> WireRequest:
        return encode_request(request, target, stream=stream)

    def decoder(self, target: Target) -> MessageDecoder:
        return MessageDecoder(target)

    def error(self, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return read_error(target, status, headers, body)

    def encode_count(self, request: CompleteRequest, target: Target) -> WireRequest:
        return encode_count(request, target)

    def read_count(self, body: bytes) -> CountTokensResponse:
        return read_count(body)
