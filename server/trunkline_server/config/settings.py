"""Everything an operator may set, as frozen values with their defaults: the schema of trunkline.yaml."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from trunkline.secret import NO_SECRET, Secret
from trunkline_server.config.rules import (
    check_header,
    check_header_name,
    check_host,
    check_network,
    check_origin,
    check_secret,
    check_text,
    normalize_url,
)

MIB = 1024 * 1024
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"

SecretText = Annotated[
    Secret,
    PlainValidator(check_secret),
    PlainSerializer(lambda secret: "***" if secret else "", return_type=str),
    WithJsonSchema({"type": "string", "writeOnly": True}),
]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64)]
ModelName = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(check_text)]
Label = Annotated[str, Field(max_length=256), AfterValidator(check_text)]
HeaderName = Annotated[str, AfterValidator(check_header_name)]
HeaderValue = Annotated[str, AfterValidator(check_header)]
Url = Annotated[str, AfterValidator(normalize_url)]
Host = Annotated[str, AfterValidator(check_host)]
Origin = Annotated[str, AfterValidator(check_origin)]
AnthropicVersion = Literal["2023-06-01", "2026-10-21"]
NetworkText = Annotated[str, AfterValidator(check_network)]
Usd = Annotated[
    Decimal,
    Field(ge=0, le=1_000_000, decimal_places=9, allow_inf_nan=False),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1_000_000}),
]
ModalityName = Literal["text", "image", "audio", "video", "document"]
EffortName = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
FeatureName = Literal[
    "streaming",
    "tools",
    "parallel_tool_calls",
    "forced_tool_choice",
    "custom_tools",
    "tool_result_images",
    "server_tools",
    "json_object",
    "json_schema",
    "system_messages",
    "midway_system_messages",
    "prefill",
    "sampling",
    "penalties",
    "stop",
    "seed",
    "logprobs",
    "multiple_choices",
    "reasoning",
    "reasoning_budget",
    "reasoning_always",
    "prompt_cache_breakpoints",
    "media_urls",
    "citations",
    "count_tokens",
]
"""The features of the contract, by their names in lower case."""


class _Settings(BaseModel):
    # An input value may be a secret: no error may show it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _take_empty_for_unset(cls, values: object) -> object:
        """`log:` with nothing after it is the same as no `log` at all."""
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value is not None or name not in cls.model_fields}


class TlsSettings(_Settings):
    """TLS for a surface, 1.2 at least. The files are PEM, read again when they change."""

    cert_file: Label = ""
    """Its certificate, with those between it and the root behind it. Empty: clear text."""
    key_file: Label = ""
    """The private key of the certificate, without a passphrase."""
    client_ca_file: Label = ""
    """Roots of client certificates. If set, who shows no certificate signed by one of them is not let in."""
    reload_s: Seconds = 10
    """Between two looks at whether the files have changed."""
    handshake_timeout_s: Seconds = 20
    """For a client to finish its handshake."""

    def __bool__(self) -> bool:
        """Whether TLS is spoken."""
        return bool(self.cert_file or self.key_file or self.client_ca_file)


class Listen(_Settings):
    """Where a surface listens."""

    host: Host = "127.0.0.1"
    """Address to bind. Anything but loopback needs keys, client certificates, or allow_unauthenticated."""
    port: Port
    """Port to bind; 0 picks a free one."""
    tls: TlsSettings = TlsSettings()
    """TLS and client certificates."""


class RestSettings(Listen):
    """The OpenAI-compatible REST surface."""

    port: Port = 4000
    """Port to bind; 0 picks a free one."""
    early_headers_s: Seconds = 15
    """Of a stream that is silent, until its status and headers go out, so that what stands between does not give up.
    A failure after that is told inside the stream."""
    cors_origins: tuple[Origin, ...] = ()
    """Origins, such as "https://app.example", whose pages may call from a browser; "*" for any. Others are refused."""
    allowed_hosts: tuple[Host, ...] = ()
    """Host names it goes by; "*" for any. Empty: any where there are keys or TLS, else only private names and
    addresses."""
    compression: Literal["off", "gzip"] = "off"
    """How whole answers go to clients that take it; streams are never compressed."""


class GrpcSettings(Listen):
    """The gRPC surface."""

    port: Port = 50051
    """Port to bind; 0 picks a free one."""
    keepalive_s: Seconds = 60
    """Of a connection on which nothing comes in, until it is asked for a sign of life."""
    keepalive_timeout_s: Seconds = 20
    """For that sign; without it the connection is closed and its calls are cancelled."""
    max_connection_age_s: Seconds | None = None
    """After which a client is told to connect anew, so that it finds new replicas. Unset: never."""
    max_connection_age_grace_s: Seconds = 600
    """For what then still runs on the old connection, before it is cut."""
    max_streams_per_connection: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Most calls at once on one connection; a client keeps what comes on top. Unset: no limit."""
    compression: Literal["off", "gzip"] = "off"
    """How answers of one message go to clients that take it; streams are never compressed."""


class Limits(_Settings):
    """What the gateway takes on at once. Beyond it, callers get 503 or RESOURCE_EXHAUSTED with Retry-After."""

    max_request_bytes: Annotated[int, Field(ge=1024, le=1024 * MIB)] = 32 * MIB
    """Most bytes of one request, after decompression; both surfaces and both directions of gRPC."""
    max_requests_in_flight: Annotated[int, Field(ge=1)] = 2000
    """Most requests being answered at once."""
    max_bytes_in_flight: Annotated[int, Field(ge=1024)] = 512 * MIB
    """Most bytes of requests held at once, those still arriving included."""
    max_messages: Annotated[int, Field(ge=1)] = 10_000
    """Most messages of one request."""
    retry_after_s: Seconds = 1
    """What callers turned away are told to wait."""


class SessionSettings(_Settings):
    """What sessions (the RPC Converse) may take. See docs/sessions.md."""

    max_sessions: Annotated[int, Field(ge=0)] = 10_000
    """Most sessions at once; beyond it, callers get RESOURCE_EXHAUSTED."""
    max_requests: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Most requests at once in one session."""
    max_conversations: Annotated[int, Field(ge=0, le=1_000_000)] = 256
    """Most conversations that one session keeps."""
    max_history_bytes: Annotated[int, Field(ge=0)] = 16 * MIB
    """Most bytes of conversations that one session keeps, turns that run included."""
    max_total_history_bytes: Annotated[int, Field(ge=0)] = 1024 * MIB
    """Most bytes of conversations that all sessions keep together."""
    max_age_s: Seconds = 3600
    """How long a session may last; then it takes nothing more on, and what runs is ended soon after."""
    window_ms: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 2
    """For how long events of several requests are gathered before they leave in one message; 0: not at all."""


class Timeouts(_Settings):
    """How long to wait for a provider, and in all."""

    connect_s: Seconds = 10
    """To a connection, TLS included."""
    first_token_s: Seconds = 120
    """Of a stream, from sending the request to the first content."""
    idle_s: Seconds = 120
    """Between two pieces of a stream."""
    total_s: Seconds = 600
    """For a whole request, every attempt included; a caller's own deadline counts where it is earlier."""
    heartbeat_s: Seconds = 15
    """Of a stream that is silent, until a sign of life goes to its reader, and between two of them."""
    write_stall_s: Seconds = 60
    """For a client to take what is sent to it; one that does not read is cut off."""
    shutdown_grace_s: Seconds = 30
    """For running requests after SIGTERM; what is left then ends with a typed error."""


class RetrySettings(_Settings):
    """What is done when a provider fails before the caller has been given anything. See docs/survival.md."""

    max_retries: Annotated[int, Field(ge=0, le=20)] = 2
    """Most further calls of a request to the same target."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 10
    """Most calls of a request in all."""
    backoff_s: Seconds = 0.5
    """The longest first wait before a retry; it is drawn between nothing and that, and may double each time."""
    max_backoff_s: Seconds = 8
    """The longest wait before any retry."""
    on_throttle: Literal["wait", "next"] = "wait"
    """Whether a throttled target is waited for once, or given up at once."""
    max_throttle_wait_s: Seconds = 3
    """The longest Retry-After that is waited for; after a longer one another target is called."""
    budget_ratio: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.2
    """Retries of one target for each of its requests, over ten seconds: an outage must not be made worse."""
    budget_floor: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """Retries of one target in ten seconds that are allowed whatever the number of requests."""


class BreakerSettings(_Settings):
    """When a target that fails is not called for a while."""

    min_samples: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Fewest results to judge by."""
    window_s: Seconds = 30
    """How far back results count."""
    failure_ratio: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.5
    """The share of failures that stops calls to it."""
    open_s: Seconds = 5
    """For how long, until one call may try again; each that fails doubles it."""
    max_open_s: Seconds = 20
    """The longest it is not called."""


class ReasoningStoreSettings(_Settings):
    """What models thought before they called tools: kept for clients that do not send it back. In memory only."""

    max_bytes: Annotated[int, Field(ge=0, le=64 * 1024 * MIB)] = 32 * MIB
    """Most bytes kept; what is oldest goes first. 0: nothing is kept."""
    ttl_s: Seconds = 3600
    """How long a turn's thinking is kept."""


class TokenSettings(_Settings):
    """How tokens are counted that no provider reports."""

    estimate: Literal["length", "vocabulary"] = "length"
    """By the number of characters, or by OpenAI's newest vocabulary: the second needs the package bpe-openai
    (trunkline[tokenizer]) and 70 MB."""


class MediaSettings(_Settings):
    """Images and files that requests give by address, for providers that take bytes only."""

    fetch: bool = False
    """Whether the gateway fetches them. It connects to public addresses only, but callers choose which."""
    max_bytes: Annotated[int, Field(ge=1, le=1024 * MIB)] = 20 * MIB
    """Most bytes of one of them; all those of a request are bounded by limits.max_request_bytes."""
    timeout_s: Seconds = 20
    """For one of them, redirects included."""
    allow_http: bool = False
    """Whether addresses may be http, too."""
    allowed_networks: tuple[NetworkText, ...] = ()
    """Networks of your own that may be connected to as well, such as "10.1.0.0/16"."""


class KeySettings(_Settings):
    """A virtual key. Its secret is not kept: only the digest that `trunkline keys hash` prints."""

    name: Name
    """Names the key in logs, traces and the ledger."""
    digest: Annotated[str, Field(pattern=DIGEST_PATTERN)]
    """What `trunkline keys hash` printed for the secret."""
    project: Label = ""
    """The project that its use counts for."""
    team: Label = ""
    """The team that its project belongs to."""
    models: tuple[ModelName, ...] = ("*",)
    """Patterns of the model names it may ask for, such as "fast" or "openai/*"."""
    debug: bool = False
    """Whether it may see running requests and ask for what is done for its own to be logged."""


class GoogleCloudSettings(_Settings):
    """Where a provider of kind vertex is, and as whom it is called."""

    project: Annotated[str, Field(pattern=r"^[a-z0-9.:-]*$", max_length=64)] = ""
    """The id of the project that is billed. Required, unless there is an api_key or a base_url."""
    location: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=64)] = "global"
    """Where its models are: "global", "us", "eu" or a region such as "europe-west4"."""
    credentials_file: Label = ""
    """A key file of a service account, or any other file of Google's credentials. Empty: those that Google's libraries
    find by themselves (GOOGLE_APPLICATION_CREDENTIALS, the machine's service account). Not used with an api_key."""


class ProviderSettings(_Settings):
    """A vendor or engine and its credentials."""

    kind: Annotated[str, Field(min_length=1)]
    """Which row of the provider table it is, such as "openai", "vllm" or "openai_compatible"."""
    base_url: Url = ""
    """Where it is; empty: the kind's own address."""
    api_key: SecretText = Field(default_factory=lambda: NO_SECRET, json_schema_extra={"default": ""})
    """Its credential, best as ${VARIABLE}. Empty: the kind's usual environment variable, unless base_url is set."""
    api_keys: tuple[SecretText, ...] = ()
    """Several credentials, used in turn; one that is refused or throttled is spared. Instead of api_key."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Headers sent with every call, such as OpenAI-Organization."""
    models: tuple[ModelName, ...] = ()
    """The model ids it offers. Empty: whatever is asked for as "provider/model", and those it lists itself."""
    api_version: AnthropicVersion | None = None
    """For the kind anthropic: the version of its API (anthropic-version). Unset: 2023-06-01."""
    google_cloud: GoogleCloudSettings = GoogleCloudSettings()
    """For the kind vertex: project, location and credentials."""
    send_trace_context: bool = False
    """Whether W3C trace context goes to it; for engines of your own that are traced as well."""
    send_baggage: bool = False
    """Whether callers' W3C baggage goes to it."""


class ModelSettings(_Settings):
    """A model name that clients may ask for."""

    targets: Annotated[tuple[ModelName, ...], Field(min_length=1)]
    """Targets as "provider/model", tried in this order."""
    owner: Label = ""
    """Shown as owned_by in the model list; empty: the first target's provider."""
    continuation: Literal["off", "prefill", "restart"] = "prefill"
    """How an answer is gone on with that broke off in plain text: not at all, by targets that can go on from what was
    given, or else by asking afresh and checking that the answer begins the same."""
    fall_back_on_refusal: bool = False
    """Whether content that one target refused may be taken to the next."""
    max_retries: Annotated[int, Field(ge=0, le=20)] | None = None
    """Instead of retries.max_retries."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    """Instead of retries.max_attempts."""
    on_throttle: Literal["wait", "next"] | None = None
    """Instead of retries.on_throttle."""
    first_token_s: Seconds | None = None
    """Instead of timeouts.first_token_s."""
    idle_s: Seconds | None = None
    """Instead of timeouts.idle_s."""
    total_s: Seconds | None = None
    """Instead of timeouts.total_s."""


class CapabilitySettings(_Settings):
    """What a target can do, where that is not known or known wrongly. See docs/providers.md for what is known."""

    can: tuple[FeatureName, ...] = ()
    """Features that it has."""
    cannot: tuple[FeatureName, ...] = ()
    """Features that it lacks: requests that need one go to other targets."""
    input: tuple[ModalityName, ...] = ()
    """All that input may consist of. Empty: as is known of the model."""
    output: tuple[ModalityName, ...] = ()
    """All that output may consist of. Empty: as is known of the model."""
    reasoning_efforts: tuple[EffortName, ...] = ()
    """The efforts that it takes. Empty: as is known of the model."""


class PriceSettings(_Settings):
    """What a target costs by contract, in USD for a million tokens, instead of the list prices."""

    input_usd_per_million: Usd
    """Input, apart from what has a price of its own below."""
    output_usd_per_million: Usd
    """Output, apart from what has a price of its own below."""
    cache_read_usd_per_million: Usd | None = None
    """Input read from the prompt cache. Unset: as other input."""
    cache_write_usd_per_million: Usd | None = None
    """Input written to the prompt cache. Unset: as other input."""
    cache_write_1h_usd_per_million: Usd | None = None
    """Input written to the prompt cache for an hour. Unset: as other writes."""
    reasoning_usd_per_million: Usd | None = None
    """Output spent on reasoning. Unset: as other output."""
    input_audio_usd_per_million: Usd | None = None
    """Sound in the input. Unset: as other input."""
    output_audio_usd_per_million: Usd | None = None
    """Sound in the output. Unset: as other output."""
    input_image_usd_per_million: Usd | None = None
    """Pictures in the input. Unset: as other input."""
    output_image_usd_per_million: Usd | None = None
    """Pictures in the output. Unset: as other output."""


class TargetSettings(_Settings):
    """One model of one provider."""

    max_input_tokens: Annotated[int, Field(ge=1)] | None = None
    """Its context window. A prompt that was too large for another target is taken here only if this is larger."""
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    """The most tokens it gives; a request for more is sent with this limit. Unset: as is known of the model."""
    capabilities: CapabilitySettings = CapabilitySettings()
    """What it can do, where that is not known or known wrongly."""
    prices: PriceSettings | None = None
    """What it costs by contract. Unset: the list price of the model, if one is known."""
    api_version: AnthropicVersion | None = None
    """Instead of its provider's api_version, for the kind anthropic."""
    dialect: str = ""
    """The wire language it is spoken to in, of those that its provider's kind serves, such as "openai_responses". Empty:
    as is known of the model, else as is usual for the kind."""
    prefill: bool | None = None
    """Whether it goes on from an assistant message that stands last. Unset: as is known of it."""
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    """Most calls to it at once; what comes on top queues. Unset: no limit."""
    max_queue: Annotated[int, Field(ge=0)] = 100
    """Most requests that queue for it; what comes on top is taken elsewhere or turned away."""


class LogSettings(_Settings):
    """Logs and the access log, both on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log line that is written. The access log is always written."""


class TelemetrySettings(_Settings):
    """OpenTelemetry. An endpoint set by the OTEL_* environment variables turns export on."""

    service_name: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(check_text)] = "trunkline"
    """The service.name resource attribute, unless OTEL_SERVICE_NAME says otherwise."""
    otlp_endpoint: Url = ""
    """Where spans go by OTLP over gRPC, such as "http://127.0.0.1:4317"; empty: as OTEL_* says, else nowhere."""
    keep_failures: bool = True
    """Whether requests that fail or are slow are recorded even if OTEL_TRACES_SAMPLER's ratio leaves them out."""
    slow_request_s: Seconds = 30
    """A request that takes longer gets a line in the log, and is recorded as `keep_failures` says."""
    capture_content: Literal["no_content", "span_only", "event_only", "span_and_event"] | None = None
    """Whether prompts and answers are recorded; unset: as OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT says."""
    logs: bool = False
    """Whether the log and the access lines go out by OTLP, too; OTEL_LOGS_EXPORTER=otlp says the same."""


class Settings(_Settings):
    """The whole configuration."""

    rest: RestSettings = RestSettings()
    """The OpenAI-compatible REST surface."""
    grpc: GrpcSettings = GrpcSettings()
    """The gRPC surface."""
    limits: Limits = Limits()
    """What the gateway takes on at once."""
    sessions: SessionSettings = SessionSettings()
    """What sessions may take."""
    timeouts: Timeouts = Timeouts()
    """How long to wait."""
    retries: RetrySettings = RetrySettings()
    """What is done when a provider fails."""
    breaker: BreakerSettings = BreakerSettings()
    """When a target that fails is spared."""
    media: MediaSettings = MediaSettings()
    """Images and files that requests give by address."""
    tokens: TokenSettings = TokenSettings()
    """How tokens are counted that no provider reports."""
    reasoning_store: ReasoningStoreSettings = ReasoningStoreSettings()
    """What models thought before they called tools."""
    keys: tuple[KeySettings, ...] = ()
    """Virtual keys. None: everybody may call, but only loopback is served."""
    allow_unauthenticated: bool = False
    """Serve other addresses than loopback although there are no keys."""
    providers: dict[Name, ProviderSettings] = Field(default_factory=dict)
    """Providers by name."""
    models: dict[ModelName, ModelSettings] = Field(default_factory=dict)
    """Model names by what clients ask for."""
    targets: dict[ModelName, TargetSettings] = Field(default_factory=dict)
    """What is to be known of single targets, by "provider/model"."""
    echo: bool = True
    """Whether the built-in model `echo` is offered."""
    log: LogSettings = LogSettings()
    """Logs and the access log."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """OpenTelemetry."""
