"""What the bridge takes on and how long it waits for its clients."""

from dataclasses import dataclass

MIB = 1024 * 1024

ANY = "*"
"""Any origin, or any host."""

# Beyond this the JSON parsers' own recursion limits would speak first, in words of their own.
MOST_NESTING = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """Limits of the REST surface, set by whoever composes the process."""

    max_request_bytes: int = 32 * MIB
    """Most bytes of one request body, after decompression; more is 413."""
    max_bytes_in_flight: int = 512 * MIB
    """Most bytes of request bodies held at once over all requests, those still arriving included; more is 503."""
    max_nesting: int = 100
    """Most levels of objects and arrays in a body; 1 to 500."""
    max_messages: int = 10_000
    """Most messages of one request."""
    retry_after_s: float = 1.0
    """What callers are told to wait when the failure itself does not say."""
    body_timeout_s: float = 60.0
    """Longest time for a request body to arrive; more is 408."""
    write_stall_s: float = 60.0
    """Longest time a client may leave what was sent unread before its connection is closed."""
    early_headers_s: float = 15.0
    """How long a stream may be silent before its status and headers go out."""
    heartbeat_s: float = 15.0
    """How long it may be silent after that before a comment shows that it is alive."""
    keepalive_s: float = 75.0
    """How long an idle connection is kept."""
    shutdown_timeout_s: float = 5.0
    """How long running handlers may take to end once the server stops; the gateway is drained before that."""
    compress: bool = False
    """Whether whole answers are compressed for clients that take gzip; streams never are."""
    cors_origins: tuple[str, ...] = ()
    """Origins, such as "https://app.example", whose pages may call; "*": those of any. Other pages are refused."""
    allowed_hosts: tuple[str, ...] = (ANY,)
    """Names that the bridge goes by; "*": any. IP addresses and names that nobody can register are always among them.

    A gateway without keys needs them: a page could have a name of its own resolve to this machine.
    """

    def __post_init__(self) -> None:
        if not 1 <= self.max_nesting <= MOST_NESTING:
            raise ValueError(f"max_nesting is from 1 to {MOST_NESTING}")
