"""Rules between settings: what each of them may be, given the others."""

from collections.abc import Callable, Collection, Iterator
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from trunkline_server.config.certificates import CertificateError, read_certificates
from trunkline_server.config.kinds import KindFacts, Kinds
from trunkline_server.config.node import Location
from trunkline_server.config.settings import GoogleCloudSettings, Listen, ProviderSettings, Settings

ECHO: Final = "echo"
"""The name of the built-in model, and of the provider it stands for in targets."""
_VERSIONED: Final = "anthropic"
"""The dialect whose API has versions."""
_OTHERS_HAVE_NO_VERSION: Final = "is for providers of kind anthropic only"

SURFACES: Final = ("rest", "grpc")


class Finding(NamedTuple):
    """A broken rule and the setting at fault."""

    location: Location
    message: str


class Checked(NamedTuple):
    """What the rules are held against."""

    settings: Settings
    kinds: Kinds
    lost: AbstractSet[Location] = frozenset()
    """Settings that are left out of `settings` because they are broken in themselves; first two steps of each.
    A rule says nothing where it would need one of them."""
    surfaces: Collection[str] = SURFACES
    """Those that are served here: the certificates of others may be on another machine."""

    def has_lost(self, section: str) -> bool:
        """Whether something in this section, or all of it, is left out."""
        return any(lost[0] == section for lost in self.lost)

    def has_lost_tls(self, surface: str) -> bool:
        """Whether something of the surface's TLS is left out, or all of the surface."""
        return (surface, "tls") in self.lost or (surface,) in self.lost

    def has_lost_provider(self, name: str) -> bool:
        """Whether this provider or something of it is left out."""
        return ("providers", name) in self.lost or ("providers",) in self.lost


def check(
    settings: Settings,
    kinds: Kinds,
    *,
    lost: AbstractSet[Location] = frozenset(),
    surfaces: Collection[str] = SURFACES,
) -> list[Finding]:
    """Every broken rule."""
    checked = Checked(settings, kinds, lost, surfaces)
    return [finding for rule in _RULES for finding in rule(checked)]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def did_you_mean(name: str, names: AbstractSet[str]) -> str:
    """A hint at the name that was probably meant, or nothing. `name` itself is not part of it."""
    close = get_close_matches(name, sorted(names), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _exposure(checked: Checked) -> Iterator[Finding]:
    settings = checked.settings
    if settings.keys or settings.allow_unauthenticated:
        return
    if checked.has_lost("keys") or checked.has_lost("allow_unauthenticated"):
        return
    for surface in SURFACES:
        listen: Listen = getattr(settings, surface)
        if not (is_loopback(listen.host) or listen.tls.client_ca_file or checked.has_lost_tls(surface)):
            message = (
                "only a loopback address may be served without keys: "
                "add keys, ask for client certificates (tls.client_ca_file), or set allow_unauthenticated"
            )
            yield Finding((surface, "host"), message)


def _tls(checked: Checked) -> Iterator[Finding]:
    for surface in SURFACES:
        tls = getattr(checked.settings, surface).tls
        if not tls or checked.has_lost_tls(surface):
            continue
        unset = [name for name in ("cert_file", "key_file") if not getattr(tls, name)]
        for name in unset:
            yield Finding((surface, "tls", name), "is missing: TLS needs a certificate and its key")
        if unset or surface not in checked.surfaces:
            continue
        try:
            read_certificates(tls)
        except CertificateError as error:
            yield Finding((surface, "tls", error.setting), error.message)


def _ports(checked: Checked) -> Iterator[Finding]:
    rest, grpc = checked.settings.rest, checked.settings.grpc
    if checked.has_lost("rest") or checked.has_lost("grpc"):
        return
    same_host = rest.host == grpc.host or _is_wildcard(rest.host) or _is_wildcard(grpc.host)
    if rest.port == grpc.port != 0 and same_host:
        yield Finding(("grpc", "port"), "is the port of the REST surface already")


def _limits(checked: Checked) -> Iterator[Finding]:
    limits = checked.settings.limits
    if not checked.has_lost("limits") and limits.max_bytes_in_flight < limits.max_request_bytes:
        message = "is less than max_request_bytes: a request of that size could never be taken"
        yield Finding(("limits", "max_bytes_in_flight"), message)


def _keys(checked: Checked) -> Iterator[Finding]:
    names: dict[str, int] = {}
    digests: dict[str, str] = {}
    for index, key in enumerate(checked.settings.keys):
        if key.name in names:
            yield Finding(("keys", index, "name"), "is the name of another key already")
        if key.digest in digests:
            yield Finding(("keys", index, "digest"), f'is the secret of the key "{digests[key.digest]}" already')
        names.setdefault(key.name, index)
        digests.setdefault(key.digest, key.name)


def _providers(checked: Checked) -> Iterator[Finding]:
    settings, kinds = checked.settings, checked.kinds
    for name, provider in settings.providers.items():
        at: Location = ("providers", name)
        if name == ECHO and settings.echo:
            yield Finding(at, f'"{ECHO}" is the built-in provider: choose another name, or set echo to false')
        if provider.kind not in kinds:
            hint = did_you_mean(provider.kind, kinds.keys())
            yield Finding((*at, "kind"), f"is not one of {', '.join(sorted(kinds))}{hint}")
        elif not checked.has_lost_provider(name):
            yield from _address_of(provider, at, kinds[provider.kind])
            if provider.api_version is not None and kinds[provider.kind].dialect != _VERSIONED:
                yield Finding((*at, "api_version"), _OTHERS_HAVE_NO_VERSION)
        if provider.api_key and provider.api_keys:
            yield Finding((*at, "api_keys"), "stands beside api_key: put all keys into one of the two")
        seen: set[str] = set()
        for header in provider.headers:
            if header.lower() in seen:
                yield Finding((*at, "headers", header), "is set twice: the case of letters does not count")
            seen.add(header.lower())


def _address_of(provider: ProviderSettings, at: Location, kind: KindFacts) -> Iterator[Finding]:
    if not kind.google_cloud:
        if not provider.base_url and not kind.base_url:
            yield Finding((*at, "base_url"), f"is missing: {provider.kind} has no address of its own")
        if provider.google_cloud != GoogleCloudSettings():
            yield Finding((*at, "google_cloud"), "is for providers of kind vertex only")
    elif not (provider.google_cloud.project or provider.base_url or provider.api_key or provider.api_keys):
        yield Finding((*at, "google_cloud", "project"), "is missing: the id of the Google Cloud project to call")


def _models(checked: Checked) -> Iterator[Finding]:
    for name, model in checked.settings.models.items():
        if name == ECHO and checked.settings.echo:
            yield Finding(
                ("models", name), f'"{ECHO}" is the built-in model: choose another name, or set echo to false'
            )
        for index, target in enumerate(model.targets):
            if message := _target_problem(checked, target):
                yield Finding(("models", name, "targets", index), message)


def _targets(checked: Checked) -> Iterator[Finding]:
    for target in checked.settings.targets:
        if message := _target_problem(checked, target):
            yield Finding(("targets", target), message)
        elif message := _dialect_problem(checked, target):
            yield Finding(("targets", target, "dialect"), message)
        elif message := _version_problem(checked, target):
            yield Finding(("targets", target, "api_version"), message)


def _waits(checked: Checked) -> Iterator[Finding]:
    retries, breaker = checked.settings.retries, checked.settings.breaker
    if not checked.has_lost("retries") and retries.backoff_s > retries.max_backoff_s:
        yield Finding(("retries", "backoff_s"), "is more than max_backoff_s")
    if not checked.has_lost("breaker") and breaker.open_s > breaker.max_open_s:
        yield Finding(("breaker", "open_s"), "is more than max_open_s")


def _target_problem(checked: Checked, target: str) -> str | None:
    settings = checked.settings
    provider, slash, model = target.partition("/")
    if not (provider and slash and model):
        return 'is not of the form "provider/model"'
    if checked.has_lost_provider(provider) or (provider == ECHO and settings.echo):
        return None
    if provider not in settings.providers:
        return f"names no provider of this configuration{did_you_mean(provider, settings.providers.keys())}"
    offered = settings.providers[provider].models
    if offered and model not in offered:
        return f"is not among the models listed for the provider{did_you_mean(model, set(offered))}"
    return None


def _version_problem(checked: Checked, target: str) -> str | None:
    if checked.settings.targets[target].api_version is None:
        return None
    provider = checked.settings.providers.get(target.partition("/")[0])
    kind = checked.kinds.get(provider.kind) if provider else None
    return _OTHERS_HAVE_NO_VERSION if kind is not None and kind.dialect != _VERSIONED else None


def _dialect_problem(checked: Checked, target: str) -> str | None:
    wanted = checked.settings.targets[target].dialect
    provider = checked.settings.providers.get(target.partition("/")[0])
    kind = checked.kinds.get(provider.kind) if provider is not None else None
    if not wanted or kind is None or wanted in kind.dialects:
        return None
    return (
        f"is not one of {', '.join(kind.dialects)}, which providers of kind {provider.kind if provider else ''} speak"
    )


def _is_wildcard(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_unspecified


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


_RULES: tuple[Callable[[Checked], Iterator[Finding]], ...] = (
    _exposure,
    _tls,
    _ports,
    _limits,
    _keys,
    _providers,
    _models,
    _targets,
    _waits,
)
