"""Rules that single values must keep. Every message is our own and shows nothing of the value: it may be a secret."""

import re
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from trunkline.secret import NO_SECRET, Secret

RULE: Final = "rule"
"""The pydantic error type of all rules here; its message may be shown as it is."""

# Credentials have a place of their own (api_key); the rest is the transport's business, and a second value of it would
# let a request be read in two ways.
RESERVED_HEADERS: Final = frozenset(
    {
        "api-key",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-api-key",
        "x-goog-api-key",
    }
)

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def check_secret(value: object) -> Secret:
    """A credential as it can stand in a header. A list or mapping in its place is never turned into text."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise _broken("must be text")
    if not _VISIBLE_ASCII.fullmatch(value):
        raise _broken("must be visible ASCII characters without a space or line break")
    return Secret(value) if value else NO_SECRET


def check_network(value: str) -> str:
    """A network in CIDR notation; one address is a network, too."""
    try:
        return str(ip_network(value))
    except ValueError:
        raise _broken('must be a network such as "10.1.0.0/16"') from None


def check_text(value: str) -> str:
    """Text that may stand on one line of a log."""
    if _CONTROL.search(value):
        raise _broken("must not hold control characters or line breaks")
    return value


def check_host(value: str) -> str:
    """An address to bind: a name or an IP address, without a port."""
    if not value or not _VISIBLE_ASCII.fullmatch(value) or set(value) & set("/@[]"):
        raise _broken("must be a host name or an IP address")
    if ":" in value and not _is_ipv6(value):
        raise _broken("must be a host name or an IP address; the port is a setting of its own")
    return value


def check_origin(value: str) -> str:
    """An origin as browsers name it, or "*"."""
    if value == "*":
        return value
    scheme, _, authority = value.partition("://")
    if not scheme or not authority or not _VISIBLE_ASCII.fullmatch(value) or set(authority) & set("/?#@"):
        raise _broken('must be an origin such as "https://app.example" without a path, or "*"')
    return value.lower()


def normalize_url(value: str) -> str:
    """An http or https URL that a path can be appended to, without the slash at its end; empty stays empty."""
    if not value:
        return value
    if not _VISIBLE_ASCII.fullmatch(value) or "\\" in value:
        raise _broken("must be a URL: ASCII without spaces or backslashes")
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port  # reading it checks it
    except ValueError:
        raise _broken("must be a URL with a valid host and port") from None
    if parts.scheme not in ("http", "https"):
        raise _broken("must begin with http:// or https://")
    if not host:
        raise _broken("must name a host")
    if "@" in parts.netloc:
        raise _broken("must not hold a user name or password: credentials have settings of their own")
    if "?" in value or "#" in value:
        raise _broken("must not hold a query or fragment")
    return value.rstrip("/")


def check_header_name(value: str) -> str:
    """The name of a header that may go out with every call to a provider."""
    if not _TOKEN.fullmatch(value):
        raise _broken("is not one that HTTP allows for a header")
    if (lower := value.lower()) in RESERVED_HEADERS:
        raise _broken(f'is "{lower}", which cannot be set: credentials go into api_key, the rest is the gateway\'s own')
    return value


def check_header(value: str) -> str:
    """The value of such a header."""
    if not _FIELD_VALUE.fullmatch(value):
        raise _broken("must be printable ASCII on one line")
    return value


def _is_ipv6(value: str) -> bool:
    try:
        return isinstance(ip_address(value), IPv6Address)
    except ValueError:
        return False


def _broken(message: str) -> PydanticCustomError:
    return PydanticCustomError(RULE, message)
