"""How an answer gets from the gateway to the client, whole or as a stream, whatever its objects look like."""

import math
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Protocol

from aiohttp import web

from trunkline.context import CallContext
from trunkline.errors import GatewayError, ProviderBadAnswerError
from trunkline.running import RunningCall
from trunkline.v1 import CompleteRequest, CompleteResponse, StreamCompleteResponse
from trunkline_bridge.app_keys import BODIES, GATEWAY, RUNNING, SENDING, SETTINGS
from trunkline_bridge.arrivals import last_bytes_at
from trunkline_bridge.body import read_body
from trunkline_bridge.boundary import told
from trunkline_bridge.context import CALL_ID, call_context, client_patience_s
from trunkline_bridge.json_text import dump, read_object
from trunkline_bridge.openai.chat_request import ChatAsk
from trunkline_bridge.openai.fields import Json
from trunkline_bridge.report import TARGET, header_text, report_headers
from trunkline_bridge.settings import BridgeSettings
from trunkline_bridge.sse import ClientLeftError, EventStream
from trunkline_bridge.tracing import FAILURE
from trunkline_bridge.whole_answer import send_whole

SIGN_OF_LIFE = 0.5
"""The share of the time that a client waits for more after which it gets a sign of life."""
SOONEST_SIGN_S = 0.1
"""A client that waits for next to nothing gets no more of them than this allows."""
LAST_WORDS = 0.1
"""The share of that time which is kept for telling it that the rest was not enough: else it would leave and ask again,
and never hear why."""
MOST_LAST_WORDS_S = 1.0

ReadAsk = Callable[[Json, BridgeSettings], ChatAsk]
WholeAnswer = Callable[[CompleteResponse, ChatAsk], Json]


class StreamEncoder(Protocol):
    """Turns one answer's batches into bytes, see `AnswerEncoder`."""

    failure: GatewayError | None
    finished: bool
    target: str

    def encode(self, batch: StreamCompleteResponse) -> bytes:
        """What to send for a batch."""
        ...


StreamedAnswer = Callable[[CallContext, ChatAsk], StreamEncoder]


async def deliver(
    request: web.Request, read_ask: ReadAsk, whole: WholeAnswer, streamed: StreamedAnswer
) -> web.StreamResponse:
    """Reads what is asked for and answers it whole or as a stream, as the body says."""
    settings = request.app[SETTINGS]
    with request.app[BODIES].lease() as lease:
        body = await read_body(request, lease, settings)
        arrived = last_bytes_at(request)
        ask = read_ask(read_object(body, max_nesting=settings.max_nesting), settings)
        patience_s = client_patience_s(request)
        # Of a whole answer the client gets nothing before it is there, so that is how long it may take.
        time_s = math.inf if ask.stream else patience_s - min(patience_s * LAST_WORDS, MOST_LAST_WORDS_S)
        context = call_context(request, arrived=arrived, size_bytes=len(body), patience_s=time_s)
        del body
        if ask.stream:
            return await _stream(request, ask.request, context, streamed(context, ask), patience_s=patience_s)
        with RunningCall(request.app[RUNNING], request.task):
            answer = await request.app[GATEWAY].complete(ask.request, context)
        data = dump(whole(answer, ask))
        headers = None
        if answer.HasField("report"):
            headers = report_headers(answer.report, took_s=time.monotonic() - arrived + request.app[SENDING].mean_s)
        return await send_whole(
            request,
            data,
            headers,
            call_id=request[CALL_ID],
            stall_s=settings.write_stall_s,
        )


async def _stream(
    request: web.Request,
    asked: CompleteRequest,
    context: CallContext,
    encoder: StreamEncoder,
    *,
    patience_s: float,
) -> web.StreamResponse:
    """Until the first bytes of the answer are there a failure is an HTTP error; afterwards it ends the stream."""
    settings = request.app[SETTINGS]
    sign_s = max(patience_s * SIGN_OF_LIFE, SOONEST_SIGN_S)
    with EventStream(
        request,
        call_id=request[CALL_ID],
        stall_s=settings.write_stall_s,
        early_headers_s=min(settings.early_headers_s, sign_s),
        heartbeat_s=min(settings.heartbeat_s, sign_s),
    ) as out:
        try:
            with RunningCall(request.app[RUNNING], request.task):
                async with aclosing(request.app[GATEWAY].stream(asked, context)) as batches:
                    async for batch in batches:
                        if data := encoder.encode(batch):
                            if encoder.target and not out.started:
                                out.response.headers[TARGET] = header_text(encoder.target)
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
                request[FAILURE] = found.code or found.type
                # No [DONE] follows: what was sent must not be taken for an answer.
                with suppress(ClientLeftError):
                    await out.write(b"data: " + found.body(request[CALL_ID]) + b"\n\n")
        return out.response
