"""The models that clients may ask for, and what each name means."""

import difflib
import time
from collections.abc import Iterable, Mapping, Sequence

from trunkline.errors import NotFoundError
from trunkline.v1 import Model
from trunkline_server.config.settings import TargetSettings
from trunkline_server.providers.target import NO_SETTINGS, Provider, Target
from trunkline_server.providers.target_facts import ModelKnowledge
from trunkline_server.routing.capabilities import capabilities_of
from trunkline_server.routing.plan import Plan
from trunkline_server.routing.policy import DEFAULT_POLICY, Policy

# Suggestions are made among so many names at most: a misspelt name must not cost more than a good one.
MAX_NAMES_COMPARED = 500


class Catalog:
    """Resolves names, in this order: a configured model, "provider/model", the bare id of a model that is offered.

    It does not change; what discovery finds makes a new one (`offering`).
    """

    def __init__(
        self,
        providers: Iterable[Provider],
        *,
        routes: Mapping[str, Sequence[str]] | None = None,
        offers: Mapping[str, Sequence[str]] | None = None,
        owners: Mapping[str, str] | None = None,
        closed: Iterable[str] = (),
        settings: Mapping[str, TargetSettings] | None = None,
        policies: Mapping[str, Policy] | None = None,
        policy: Policy = DEFAULT_POLICY,
        knowledge: ModelKnowledge | None = None,
    ) -> None:
        """`routes` maps a configured model to its targets by name, `offers` a provider to the ids it is known to have.

        `owners` says whom a configured model is shown to belong to, where it is not its first target's provider. Of
        the providers named in `closed` nothing but their offers may be asked for. `settings` are those of targets by
        name, `policies` those of configured models; `policy` is for all others. `knowledge` says what models can do
        and cost.
        """
        self._settings = dict(settings or {})
        self._policies = dict(policies or {})
        self._policy = policy
        self._knowledge = knowledge
        self._providers = {provider.name: provider for provider in providers}
        self._offers = {name: tuple(ids) for name, ids in (offers or {}).items()}
        self._owners = dict(owners or {})
        self._closed = frozenset(closed)
        self._routes = {name: tuple(self._target(target) for target in names) for name, names in (routes or {}).items()}
        self._plans = self._known_plans()
        self._targets = frozenset(target.name for plan in self._plans.values() for target in plan.targets)

    def plan(self, model: str) -> Plan:
        """What `model` means. Raises NotFoundError, with similar names, if it means nothing."""
        found = self._plans.get(model)
        if found is not None:
            return found
        provider, _, model_id = model.partition("/")
        if model_id and provider in self._providers and provider not in self._closed:
            return Plan(model, (self._target_of(provider, model_id),), policy=self._policy)
        raise NotFoundError(f"there is no model {model[:128]!r}{self._hint(model)}")

    def knows(self, name: str) -> bool:
        """Whether the configuration or a provider's list names this model or target, and not only some client."""
        return name in self._plans or name in self._targets

    def models(self) -> list[Model]:
        """All names that are known, sorted; a provider that lists nothing shows no model though it may have many."""
        return [self._describe(plan) for _, plan in sorted(self._plans.items()) if not self._is_shorthand(plan)]

    def plans(self) -> list[Plan]:
        """What all names that are known mean."""
        return list(self._plans.values())

    def describe(self, model: str) -> Model:
        """One model. Raises NotFoundError as `plan` does."""
        return self._describe(self.plan(model))

    @property
    def providers(self) -> Mapping[str, Provider]:
        """All providers by name, in the order in which they claim bare model ids."""
        return self._providers

    def offering(self, provider: Provider, model_ids: Sequence[str]) -> "Catalog":
        """The same and what `provider`, known before or not, turned out to have."""
        routes = {name: [target.name for target in targets] for name, targets in self._routes.items()}
        return Catalog(
            {**self._providers, provider.name: provider}.values(),
            routes=routes,
            offers={**self._offers, provider.name: tuple(model_ids)},
            owners=self._owners,
            closed=self._closed,
            settings=self._settings,
            policies=self._policies,
            policy=self._policy,
            knowledge=self._knowledge,
        )

    def _known_plans(self) -> dict[str, Plan]:
        plans: dict[str, Plan] = {}
        for name, targets in self._routes.items():
            plans[name] = Plan(name, targets, route=name, policy=self._policies.get(name, self._policy))
        for provider, ids in self._offers.items():
            for model_id in ids:
                target = self._target_of(provider, model_id)
                plans.setdefault(target.name, Plan(target.name, (target,), policy=self._policy))
        for provider, ids in self._offers.items():
            for model_id in ids:
                # The first provider that offers an id has its bare name.
                plans.setdefault(model_id, Plan(model_id, (self._target_of(provider, model_id),), policy=self._policy))
        return plans

    def _is_shorthand(self, plan: Plan) -> bool:
        return not plan.route and plan.model != plan.targets[0].name

    def _target(self, name: str) -> Target:
        provider, _, model_id = name.partition("/")
        if provider not in self._providers or not model_id:
            raise ValueError(f"target {name!r} does not name a configured provider and a model")
        return self._target_of(provider, model_id)

    def _target_of(self, provider: str, model_id: str) -> Target:
        settings = self._settings.get(f"{provider}/{model_id}", NO_SETTINGS)
        return Target.of(self._providers[provider], model_id, settings, self._knowledge)

    def _describe(self, plan: Plan) -> Model:
        first = plan.targets[0]
        facts = first.facts
        # A route of the operator's own making may get another first target any day: it has no day of birth or death.
        of_its_own = not plan.route
        return Model(
            id=plan.model,
            display_name=facts.display_name if of_its_own else "",
            owner=self._owners.get(plan.route) or (facts.owner if of_its_own else "") or first.provider.name,
            created_at_ms=facts.created_at_ms if of_its_own else 0,
            shutdown_at_ms=facts.shutdown_at_ms if of_its_own else 0,
            targets=[target.name for target in plan.targets],
            capabilities=capabilities_of(plan.targets),
            pricing=None if first.prices is None else first.prices.pricing(time.time()),
        )

    def _hint(self, model: str) -> str:
        names = list(self._plans)[:MAX_NAMES_COMPARED]
        similar = difflib.get_close_matches(model[:128], names, n=3)
        if similar:
            return f"; did you mean {' or '.join(similar)}?"
        return "; GET /v1/models or ListModels tells which there are, others are asked for as provider/model"
