"""POST /v1/chat/completions."""

from aiohttp import web

from trunkline.context import CallContext
from trunkline.v1 import CompleteResponse
from trunkline_bridge.openai.chat_request import ChatAsk, read_chat_request
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_bridge.openai.chat_stream import ChunkEncoder
from trunkline_bridge.openai.delivery import deliver
from trunkline_bridge.openai.fields import Json
from trunkline_bridge.settings import BridgeSettings


async def create_chat_completion(request: web.Request) -> web.StreamResponse:
    """Answers whole or as a stream, as the body asks."""
    return await deliver(request, _ask, _whole, _streamed)


def _ask(body: Json, settings: BridgeSettings) -> ChatAsk:
    return read_chat_request(body, max_messages=settings.max_messages)


def _whole(answer: CompleteResponse, ask: ChatAsk) -> Json:
    return chat_completion(answer, functions=ask.functions)


def _streamed(context: CallContext, ask: ChatAsk) -> ChunkEncoder:
    return ChunkEncoder(
        request_id=context.request_id,
        model=ask.request.model,
        include_usage=ask.include_usage,
        functions=ask.functions,
    )
