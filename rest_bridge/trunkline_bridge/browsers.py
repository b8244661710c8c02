"""What pages in a browser may do here: nothing, unless their origin was allowed.

A page from anywhere can send requests to a gateway on the visitor's own machine or network and, without keys, spend
its operator's money. Browsers name the page's origin with every such request (https://fetch.spec.whatwg.org/#origin-header),
so one that is not allowed is refused, whatever its content type. A page can also have its own name resolve to this
machine (DNS rebinding): then it is the gateway's own origin, but under a name that its operator never gave it.
"""

from ipaddress import ip_address
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from trunkline.metadata import REQUEST_ID
from trunkline_bridge.errors import SurfaceError
from trunkline_bridge.report import ATTEMPTS, NOTES, OVERHEAD, TARGET
from trunkline_bridge.settings import ANY, BridgeSettings

PROBES: Final = frozenset(("/healthz", "/readyz"))
"""What load balancers and orchestrators ask under whatever name they like; it tells nothing and costs nothing."""

EXPOSED: Final = f"{REQUEST_ID}, {TARGET}, {ATTEMPTS}, {OVERHEAD}, {NOTES}, retry-after, retry-after-ms, x-should-retry"
"""The headers of answers that scripts of allowed pages may read."""
PREFLIGHT_MAX_AGE_S: Final = 600

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
# Names under these are never registered (RFC 6761, RFC 6762, ICANN resolution 2024.07.29.06), nor are those without
# a dot: whoever answers to one is on the operator's own network.
_PRIVATE_DOMAINS: Final = frozenset(("localhost", "local", "internal"))

_FOREIGN_HOST: Final = "This gateway does not go by that name. Its operator may add the name to rest.allowed_hosts."
_FOREIGN_ORIGIN: Final = "Pages of this origin may not call the gateway. Its operator may add it to rest.cors_origins."


class BrowserPolicy:
    """Which pages may call, and under which names."""

    def __init__(self, settings: BridgeSettings) -> None:
        self._any_origin = ANY in settings.cors_origins
        self._origins = frozenset(settings.cors_origins)
        self._any_host = ANY in settings.allowed_hosts
        self._hosts = frozenset((*map(str.lower, settings.allowed_hosts), *_LOOPBACK_NAMES))

    @property
    def lets_pages_in(self) -> bool:
        """Whether any foreign page may call: only then answers need headers for browsers."""
        return bool(self._origins)

    def middleware(self) -> Middleware:
        """Refuses what may not call with 403 and answers preflight requests; the rest goes on."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            origin = request.headers.get("Origin")
            if (refusal := self._refusal(request.headers.get("Host", ""), origin)) and request.path not in PROBES:
                raise refusal
            if origin is not None and _is_preflight(request):
                return _preflight_answer(request)
            return await handler(request)

        return guard

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Lets allowed pages read what they get, failures included. A handler of the signal `on_response_prepare`."""
        if not self._any_origin:
            response.headers.add("Vary", "Origin")  # shared caches must not give one page's answer to another
        origin = request.headers.get("Origin")
        if origin is not None and self._allows(origin):
            response.headers["Access-Control-Allow-Origin"] = ANY if self._any_origin else origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED

    def _refusal(self, host: str, origin: str | None) -> SurfaceError | None:
        if not self._any_host and not self._goes_by(_without_port(host)):
            return SurfaceError(403, "host_not_allowed", _FOREIGN_HOST)
        if origin is None or self._allows(origin) or _is_own(origin, host):
            return None
        return SurfaceError(403, "origin_not_allowed", _FOREIGN_ORIGIN)

    def _allows(self, origin: str) -> bool:
        return self._any_origin or origin in self._origins

    def _goes_by(self, name: str) -> bool:
        """No name can be made to lead to an address that was given as one, so any address will do."""
        return name in self._hosts or _is_private(name) or _is_address(name)


def _is_preflight(request: web.Request) -> bool:
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def _preflight_answer(request: web.Request) -> web.Response:
    headers = {
        "Access-Control-Allow-Methods": "GET, POST",
        # SDKs add headers of their own; what counts is which of them the gateway reads.
        "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", ""),
        "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE_S),
    }
    return web.Response(status=204, headers=headers)


def _is_own(origin: str, host: str) -> bool:
    """Whether the page came from the gateway itself. The scheme may be that of a proxy before it."""
    return bool(host) and origin.partition("://")[2].lower() == host.lower()


def _without_port(host: str) -> str:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")


def _is_private(name: str) -> bool:
    *above, last = name.split(".")
    return last in _PRIVATE_DOMAINS or not above


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
