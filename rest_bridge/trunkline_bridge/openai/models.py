"""GET /v1/models and GET /v1/models/{id}."""

import time
from datetime import UTC, datetime

import orjson
from aiohttp import web

from trunkline.v1 import GetModelRequest, ListModelsRequest, Model
from trunkline_bridge.app_keys import GATEWAY
from trunkline_bridge.boundary import JSON_TYPE
from trunkline_bridge.context import call_context
from trunkline_bridge.openai.fields import Json

MAX_PAGES = 1000


async def list_models(request: web.Request) -> web.Response:
    """All models that the key may use; OpenAI's list has no pages."""
    context = call_context(request, arrived=time.monotonic())
    gateway = request.app[GATEWAY]
    found: list[Json] = []
    token = ""
    for _ in range(MAX_PAGES):
        page = await gateway.list_models(ListModelsRequest(page_token=token), context)
        found += map(model_object, page.models)
        token = page.next_page_token
        if not token:
            break
    return web.Response(body=orjson.dumps({"object": "list", "data": found}), content_type=JSON_TYPE)


async def retrieve_model(request: web.Request) -> web.Response:
    """One model; its id may contain slashes."""
    context = call_context(request, arrived=time.monotonic())
    answer = await request.app[GATEWAY].get_model(GetModelRequest(id=request.match_info["id"]), context)
    return web.Response(body=orjson.dumps(model_object(answer.model)), content_type=JSON_TYPE)


def model_object(model: Model) -> Json:
    """A model as OpenAI describes one."""
    found: Json = {
        "id": model.id,
        "object": "model",
        "created": model.created_at_ms // 1000,
        "owned_by": model.owner or "trunkline",
    }
    if model.shutdown_at_ms:
        found["shutdown_date"] = datetime.fromtimestamp(model.shutdown_at_ms / 1000, UTC).date().isoformat()
    return found
