"""GET /v1/models and GET /v1/models/{id}."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from trunkline.v1 import (
    Capabilities,
    Feature,
    GetModelRequest,
    ListModelsRequest,
    Modality,
    Model,
    ReasoningEffort,
)
from trunkline_bridge.app_keys import GATEWAY
from trunkline_bridge.boundary import JSON_TYPE
from trunkline_bridge.context import call_context
from trunkline_bridge.openai.fields import Json

MAX_PAGES = 1000

# Enums of capabilities, and what their values' names begin with.
_LISTS: Final[Mapping[str, tuple[Any, str]]] = {
    "input_modalities": (Modality, "MODALITY_"),
    "output_modalities": (Modality, "MODALITY_"),
    "features": (Feature, "FEATURE_"),
    "reasoning_efforts": (ReasoningEffort, "REASONING_EFFORT_"),
}


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
    found["trunkline"] = _more(model)
    return found


def _more(model: Model) -> Json:
    """What OpenAI's form has no member for; what is not known is left out."""
    found: Json = {"targets": list(model.targets)}
    if model.display_name:
        found["display_name"] = model.display_name
    if model.HasField("capabilities"):
        found["capabilities"] = _capabilities(model.capabilities)
    if model.HasField("pricing"):
        found["pricing"] = {field.name: value for field, value in model.pricing.ListFields()}
    return found


def _capabilities(capabilities: Capabilities) -> Json:
    found: Json = {}
    for limit in ("max_input_tokens", "max_output_tokens"):
        if capabilities.HasField(limit):
            found[limit] = getattr(capabilities, limit)
    for name, (kind, prefix) in _LISTS.items():
        # A core that is newer than this bridge may know more values.
        values = [value for value in getattr(capabilities, name) if value in kind.values()]
        if values:
            found[name] = [kind.Name(value).removeprefix(prefix).lower() for value in values]
    return found
