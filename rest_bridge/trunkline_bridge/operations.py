"""GET /health/targets and GET /metrics: how the gateway is doing."""

import time
from typing import Any

import orjson
from aiohttp import web

from trunkline.v1 import GetMetricsRequest, ListTargetsRequest, TargetCondition, TargetState
from trunkline_bridge.app_keys import GATEWAY
from trunkline_bridge.boundary import JSON_TYPE
from trunkline_bridge.context import call_context

METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"

CONDITIONS = {
    value: name.removeprefix("TARGET_CONDITION_").lower()
    for name, value in TargetCondition.items()
    if value != TargetCondition.TARGET_CONDITION_UNSPECIFIED
}

_NUMBERS = ("usable_in_ms", "usable_keys", "keys", "in_flight", "queued", "results", "failures", "retries_left")


async def list_targets(request: web.Request) -> web.Response:
    """The targets of the models that the key may use; 200 whatever state they are in."""
    context = call_context(request, arrived=time.monotonic())
    answer = await request.app[GATEWAY].list_targets(ListTargetsRequest(), context)
    body = orjson.dumps({"targets": [target_object(state) for state in answer.targets]})
    return web.Response(body=body, content_type=JSON_TYPE, headers={"cache-control": "no-store"})


async def show_metrics(request: web.Request) -> web.Response:
    """The metrics of the gateway as Prometheus scrapes them; of a split bridge, those of its core."""
    context = call_context(request, arrived=time.monotonic())
    answer = await request.app[GATEWAY].get_metrics(GetMetricsRequest(), context)
    return web.Response(body=answer.page, headers={"content-type": METRICS_TYPE, "cache-control": "no-store"})


def target_object(state: TargetState) -> dict[str, Any]:
    """One target's state."""
    found: dict[str, Any] = {
        "target": state.target,
        "condition": CONDITIONS.get(state.condition, "unknown"),
        **{name: getattr(state, name) for name in _NUMBERS},
    }
    if state.last_failure:
        found["last_failure"] = {"class": state.last_failure, "ms_ago": state.last_failure_ms_ago}
    return found
