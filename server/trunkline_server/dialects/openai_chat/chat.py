"""The four hooks of the dialect."""

from collections.abc import Mapping

from trunkline.errors import GatewayError
from trunkline.v1 import CompleteRequest
from trunkline_server.dialects.openai_chat.decode import ChatDecoder
from trunkline_server.dialects.openai_chat.encode import encode_request
from trunkline_server.dialects.openai_chat.errors import read_error
from trunkline_server.dialects.openai_chat.names import DIALECT
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import WireRequest


class OpenAIChat:
    """OpenAI's chat completions and their many copies, told apart by `ProviderKind.chat`."""

    name = DIALECT

    def encode(self, request: CompleteRequest, target: Target, *, stream: bool) -> WireRequest:
        return encode_request(request, target, stream=stream)

    def decoder(self, target: Target) -> ChatDecoder:
        return ChatDecoder(target)

    def error(self, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return read_error(target, status, headers, body)
