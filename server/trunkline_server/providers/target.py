"""A provider as configured, and one of its models as the place an attempt goes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from trunkline.secret import Secret
from trunkline_server.config.settings import TargetSettings
from trunkline_server.providers.kinds import ProviderKind
from trunkline_server.providers.model_dialect import dialect_of
from trunkline_server.providers.model_facts import UNKNOWN_MODEL, ModelFacts
from trunkline_server.providers.model_prices import ModelPrices
from trunkline_server.providers.target_facts import ModelKnowledge, facts_of, prices_of

NO_SETTINGS: Final = TargetSettings()
"""Of a target that the configuration says nothing of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A vendor or engine with its address and credentials, resolved from the configuration at load time."""

    name: str
    """Its name in the configuration; the first half of a target's name."""
    kind: ProviderKind
    base_url: str
    """Without a slash at the end, such as "https://api.openai.com/v1"."""
    api_keys: Sequence[Secret] = ()
    """Sent to `base_url` and nowhere else, one with each call. Empty: none is sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every call, such as OpenAI-Organization."""
    api_version: str = ""
    """The version of its wire, where it has several, such as "2026-10-21". Empty: the oldest that is spoken."""
    credentials_file: str = ""
    """Of a provider on Google Cloud without keys: the file of its credentials. Empty: those that Google's libraries
    find."""
    send_trace_context: bool = False
    """Whether traceparent and tracestate go to this provider."""
    send_baggage: bool = False
    """Whether callers' baggage goes to this provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One provider and one of its models."""

    provider: Provider
    model: str
    """The model id as the provider knows it."""
    name: str
    """ "provider/model", as reports, spans and the access log name it."""
    dialect: str
    """The wire language that this model is spoken to in."""
    facts: ModelFacts = UNKNOWN_MODEL
    """What is known of the model."""
    prices: ModelPrices | None = None
    """What it costs. None: that is not known."""
    api_version: str = ""
    """The version of its API that it is spoken to in, where that is not its provider's."""
    max_concurrent: int | None = None
    """Most calls to it at once. None: no limit."""
    max_queue: int = 0
    """Most requests that queue for it beyond that."""

    @classmethod
    def of(
        cls,
        provider: Provider,
        model: str,
        settings: TargetSettings = NO_SETTINGS,
        knowledge: ModelKnowledge | None = None,
    ) -> "Target":
        """With the name that the two make, with what is known of the model, and with what the configuration says."""
        facts = facts_of(provider.kind, model, settings, knowledge)
        return cls(
            provider=provider,
            model=model,
            name=f"{provider.name}/{model}",
            dialect=settings.dialect or dialect_of(provider.kind, model, facts),
            facts=facts,
            prices=prices_of(provider.kind, model, settings, knowledge),
            api_version=settings.api_version or "",
            max_concurrent=settings.max_concurrent,
            max_queue=settings.max_queue,
        )
