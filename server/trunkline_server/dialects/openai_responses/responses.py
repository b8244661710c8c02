"""The hooks of the dialect."""

from collections.abc import Mapping

from trunkline.errors import GatewayError
from trunkline.v1 import CompleteRequest, CountTokensResponse
from trunkline_server.dialects.openai_responses.counting import encode_count, read_count
from trunkline_server.dialects.openai_responses.decode import ResponsesDecoder
from trunkline_server.dialects.openai_responses.encode import encode_request
from trunkline_server.dialects.openai_responses.errors import read_error
from trunkline_server.dialects.openai_responses.names import DIALECT
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest


class OpenAIResponses:
    """OpenAI's `/responses`; how copies of it depart is in `ProviderKind.responses`."""

    name = DIALECT

    def encode(self, request: CompleteRequest, target: Target, *, stream: bool) -> WireRequest:
        return encode_request(request, target, stream=stream)

    def decoder(self, target: Target) -> ResponsesDecoder:
        return ResponsesDecoder(target)

    def encode_count(self, request: CompleteRequest, target: Target) -> WireRequest | None:
        return encode_count(request, target)

    def read_count(self, body: bytes) -> CountTokensResponse:
        return read_count(body)

    def error(self, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return read_error(target, status, headers, body)
