"""POST /v1/completions, the API before chat: programs that still speak it get a chat model's answer."""

from aiohttp import web

from trunkline.context import CallContext
from trunkline.v1 import CompleteResponse
from trunkline_bridge.openai.chat_request import ChatAsk
from trunkline_bridge.openai.completion_objects import CompletionEncoder, text_completion
from trunkline_bridge.openai.completion_request import read_completion_request
from trunkline_bridge.openai.delivery import deliver
from trunkline_bridge.openai.fields import Json
from trunkline_bridge.settings import BridgeSettings


async def create_completion(request: web.Request) -> web.StreamResponse:
    """Answers whole or as a stream, as the body asks."""
    return await deliver(request, _ask, _whole, _streamed)


def _ask(body: Json, settings: BridgeSettings) -> ChatAsk:
    return read_completion_request(body)


def _whole(answer: CompleteResponse, ask: ChatAsk) -> Json:
    return text_completion(answer)


def _streamed(context: CallContext, ask: ChatAsk) -> CompletionEncoder:
    return CompletionEncoder(request_id=context.request_id, model=ask.request.model, include_usage=ask.include_usage)
