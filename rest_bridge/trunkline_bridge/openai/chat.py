"""POST /v1/chat/completions."""

import time
from contextlib import aclosing, suppress

from aiohttp import web

from trunkline.context import CallContext
from trunkline.errors import ProviderBadAnswerError
from trunkline.running import RunningCall
from trunkline_bridge.app_keys import BODIES, GATEWAY, RUNNING, SETTINGS
from trunkline_bridge.body import read_body
from trunkline_bridge.boundary import JSON_TYPE, told
from trunkline_bridge.context import CALL_ID, call_context
from trunkline_bridge.json_text import dump, read_object
from trunkline_bridge.openai.chat_request import ChatAsk, read_chat_request
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_bridge.openai.chat_stream import ChunkEncoder
from trunkline_bridge.report import notes_header
from trunkline_bridge.sse import ClientLeftError, EventStream

NOTES = "x-trunkline-notes"


async def create_chat_completion(request: web.Request) -> web.StreamResponse:
    """Answers whole or as a stream, as the body asks."""
    arrived = time.monotonic()
    settings = request.app[SETTINGS]
    with request.app[BODIES].lease() as lease:
        body = await read_body(request, lease, settings)
        context = call_context(request, arrived=arrived, size_bytes=len(body))
        ask = read_chat_request(read_object(body, max_nesting=settings.max_nesting), max_messages=settings.max_messages)
        del body
        if ask.stream:
            return await _stream(request, ask, context)
        return await _whole(request, ask, context)


async def _whole(request: web.Request, ask: ChatAsk, context: CallContext) -> web.Response:
    async with RunningCall(request.app[RUNNING]):
        answer = await request.app[GATEWAY].complete(ask.request, context)
    response = web.Response(body=dump(chat_completion(answer, functions=ask.functions)), content_type=JSON_TYPE)
    if notes := notes_header(answer.report):
        response.headers[NOTES] = notes
    return response


async def _stream(request: web.Request, ask: ChatAsk, context: CallContext) -> web.StreamResponse:
    """Until the first bytes of the answer are there a failure is an HTTP error; afterwards it ends the stream."""
    encoder = ChunkEncoder(
        request_id=context.request_id,
        model=ask.request.model,
        include_usage=ask.include_usage,
        functions=ask.functions,
    )
    stall_s = request.app[SETTINGS].write_stall_s
    with EventStream(request, call_id=request[CALL_ID], stall_s=stall_s) as out:
        try:
            async with (
                RunningCall(request.app[RUNNING]),
                aclosing(request.app[GATEWAY].stream(ask.request, context)) as batches,
            ):
                async for batch in batches:
                    if data := encoder.encode(batch):
                        await out.write(data)
            if not encoder.finished:
                raise encoder.failure or ProviderBadAnswerError("The answer broke off before its end.")
        except ClientLeftError:
            pass
        except Exception as error:
            if not out.started:
                raise
            found = told(error, request)
            if not encoder.finished:
                # No [DONE] follows: what was sent must not be taken for an answer.
                with suppress(ClientLeftError):
                    await out.write(b"data: " + found.body(request[CALL_ID]) + b"\n\n")
        return out.response
