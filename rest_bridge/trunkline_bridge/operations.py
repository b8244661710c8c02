"""GET /health/targets, /metrics and /debug/requests: how the gateway is doing, and what it does just now."""

import time
from typing import Any

import orjson
from aiohttp import web

from trunkline.v1 import (
    GetMetricsRequest,
    ListRunningRequestsRequest,
    ListTargetsRequest,
    RequestPhase,
    RunningRequest,
    TargetCondition,
    TargetState,
)
from trunkline_bridge.app_keys import GATEWAY
from trunkline_bridge.boundary import JSON_TYPE
from trunkline_bridge.context import call_context

METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"

CONDITIONS = {
    value: name.removeprefix("TARGET_CONDITION_").lower()
    for name, value in TargetCondition.items()
    if value != TargetCondition.TARGET_CONDITION_UNSPECIFIED
}
PHASES = {
    value: name.removeprefix("REQUEST_PHASE_").lower()
    for name, value in RequestPhase.items()
    if value != RequestPhase.REQUEST_PHASE_UNSPECIFIED
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


async def list_running_requests(request: web.Request) -> web.Response:
    """The requests that the gateway is answering, the oldest first; of a split bridge, those of its core."""
    context = call_context(request, arrived=time.monotonic())
    answer = await request.app[GATEWAY].list_running_requests(ListRunningRequestsRequest(), context)
    body = orjson.dumps({"requests": [running_object(running) for running in answer.requests]})
    return web.Response(body=body, content_type=JSON_TYPE, headers={"cache-control": "no-store"})


def running_object(running: RunningRequest) -> dict[str, Any]:
    """One request that runs. Members that say nothing are left out; times are milliseconds."""
    found: dict[str, Any] = {
        "request_id": running.request_id,
        "age_ms": running.age_us / 1000,
        "phase": PHASES.get(running.phase, "unknown"),
        "stream": running.stream,
        "attempts": running.attempts,
    }
    for name in ("model", "target", "key", "project", "trace_id"):
        if value := getattr(running, name):
            found[name] = value
    for name in ("first_token", "remaining"):
        if running.HasField(f"{name}_us"):  # type: ignore[arg-type]  # wants a literal
            found[f"{name}_ms"] = getattr(running, f"{name}_us") / 1000
    return found


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
