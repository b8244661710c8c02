"""What a caller asks for, as the engine goes by it: the request folded, and the targets it may go to."""

from dataclasses import replace

from trunkline.context import CallContext
from trunkline.errors import CacheMissError, NotAllowedError
from trunkline.v1 import CacheMode, CompleteRequest, Role, Routing
from trunkline_server.routing.catalog import Catalog
from trunkline_server.routing.plan import Plan
from trunkline_server.values.principal import Principal


def folded(request: CompleteRequest, context: CallContext) -> CompleteRequest:
    """The request with `prompt` as its last message and what the context asks for where the message does not say.

    The caller's own message is never changed.
    """
    if not request.prompt and context.strict is None and not context.priority and not context.idempotency_key:
        return request
    found = CompleteRequest()
    found.CopyFrom(request)
    if request.prompt:
        found.messages.add(role=Role.ROLE_USER).parts.add(text=request.prompt)
        found.ClearField("prompt")
    if context.strict is not None and not request.routing.HasField("strict"):
        found.routing.strict = context.strict
    if context.priority and not request.routing.priority:
        found.routing.priority = context.priority
    if context.idempotency_key and not request.idempotency_key:
        found.idempotency_key = context.idempotency_key
    return found


def plan_for(request: CompleteRequest, principal: Principal, catalog: Catalog) -> Plan:
    """The targets to try, and what is allowed. Every name that the caller chose is one it must be allowed to use.

    Raises NotAllowedError, NotFoundError, or CacheMissError.
    """
    _may_use(principal, request.model)
    plan = catalog.plan(request.model)
    return _as_wished(plan, request.routing, principal, catalog) if request.HasField("routing") else plan


def _as_wished(plan: Plan, routing: Routing, principal: Principal, catalog: Catalog) -> Plan:
    """The plan as the caller wishes it; wishes may narrow what the operator allows, never widen it."""
    if routing.cache.mode == CacheMode.CACHE_MODE_ONLY:
        raise CacheMissError("no answer is cached for this request, and only a cached one was wanted")
    targets = list(plan.targets)
    if routing.targets:
        for name in routing.targets:
            _may_use(principal, name, field="routing.targets")
        targets = [catalog.plan(name).targets[0] for name in routing.targets]
    if routing.no_fallback:
        del targets[1:]
    policy = plan.policy
    if routing.HasField("max_attempts"):
        policy = replace(policy, max_attempts=min(policy.max_attempts, routing.max_attempts))
    if routing.HasField("first_token_timeout_ms"):
        policy = replace(policy, first_token_s=routing.first_token_timeout_ms / 1000)
    return Plan(plan.model, targets, plan.route, policy)


def _may_use(principal: Principal, model: str, *, field: str = "model") -> None:
    if model and not principal.may_use(model):
        raise NotAllowedError.at_field(field, f"the key {principal.key!r} may not use {model[:128]!r}")
