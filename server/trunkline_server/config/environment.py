"""Settings out of the environment alone, and the credentials that usually stand there."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from pydantic_core import PydanticCustomError

from trunkline_server.config.checks import Finding, check
from trunkline_server.config.errors import ConfigError, Problem
from trunkline_server.config.kinds import Kinds
from trunkline_server.config.node import Node, Position
from trunkline_server.config.rules import check_secret, normalize_url
from trunkline_server.config.settings import ProviderSettings, Settings
from trunkline_server.config.validation import NO_OVERRIDES, Overrides, validate

T = TypeVar("T")

SOURCE: Final = "environment"

BASE_URL_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({"openai": "OPENAI_BASE_URL"})
"""By kind, the variable that the vendor's own SDK takes another address from."""

_NOWHERE = Position(0, 0)


def from_environment(environment: Mapping[str, str], kinds: Kinds, *, overrides: Overrides = NO_OVERRIDES) -> Settings:
    """Settings for when there is no file: each kind whose usual key is in the environment is a provider of its name.

    Raises ConfigError with every problem at once.
    """
    validated = validate(Node("", _NOWHERE, _NOWHERE, {}), overrides)
    problems = list(validated.problems)
    providers: dict[str, ProviderSettings] = {}
    for name, kind in kinds.items():
        if not (kind.api_key_env and environment.get(kind.api_key_env)):
            continue
        api_key = _read(environment, kind.api_key_env, check_secret, problems)
        base_url = _read(environment, BASE_URL_VARIABLES.get(name, ""), normalize_url, problems)
        if api_key is not None and base_url is not None and (base_url or kind.base_url):
            providers[name] = ProviderSettings(kind=name, base_url=base_url, api_key=api_key)
    settings = validated.settings
    if settings is not None:
        settings = settings.model_copy(update={"providers": providers})
        findings = check(settings, kinds, lost=validated.lost)
        problems += [problem for finding in findings if (problem := validated.placed(finding)) is not None]
    if problems or settings is None:
        raise ConfigError(SOURCE, problems)
    return settings


def with_usual_credentials(
    settings: Settings, kinds: Kinds, environment: Mapping[str, str]
) -> tuple[Settings, list[Finding]]:
    """The settings with api_key filled in from each kind's usual variable, and what is wrong with those.

    A provider whose base_url leads elsewhere than to the kind's own address gets none: a vendor's key goes to that
    vendor only.
    """
    providers = dict(settings.providers)
    findings: list[Finding] = []
    for name, provider in settings.providers.items():
        kind = kinds.get(provider.kind)
        if kind is None or provider.api_key or provider.api_keys or provider.base_url not in ("", kind.base_url):
            continue
        problems: list[Problem] = []
        api_key = _read(environment, kind.api_key_env, check_secret, problems)
        findings += [Finding(("providers", name), f"{problem.path} {problem.message}") for problem in problems]
        if api_key:
            providers[name] = provider.model_copy(update={"api_key": api_key})
    return settings.model_copy(update={"providers": providers}), findings


def _read(environment: Mapping[str, str], variable: str, rule: Callable[[str], T], problems: list[Problem]) -> T | None:
    """A variable's value, empty if there is none of that name; None and a problem if it breaks the rule."""
    try:
        return rule(environment.get(variable, "") if variable else "")
    except PydanticCustomError as error:
        problems.append(Problem(0, 0, variable, error.message()))
        return None
