"""What a row of the provider table says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from trunkline_server.providers.anthropic_quirks import ANTHROPIC, AnthropicQuirks
from trunkline_server.providers.chat_quirks import STRANGER, ChatQuirks
from trunkline_server.providers.gemini_quirks import DEVELOPER_API, GeminiQuirks
from trunkline_server.providers.responses_quirks import RESPONSES_STRANGER, ResponsesQuirks

REQUEST_ID: Final = "x-request-id"
RESPONSES: Final = "openai_responses"


class Prefill(NamedTuple):
    """How a provider is asked to go on from the assistant message that stands last, beside sending it."""

    body: str = ""
    """Members of the body, as a JSON object."""
    message: str = ""
    """Members of that message, as a JSON object."""


class AuthHeader(NamedTuple):
    """The header in which a provider takes its key."""

    name: str
    prefix: str = ""
    """What stands before the key."""

    def of(self, key: str) -> dict[str, str]:
        """The header itself."""
        return {self.name: self.prefix + key}


BEARER: Final = AuthHeader("Authorization", "Bearer ")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind:
    """What all providers of one kind have in common."""

    name: str
    dialect: str = "openai_chat"
    """The wire language it is spoken to in, unless something is said or known of a model; a name in
    `trunkline_server.dialects`."""
    other_dialects: tuple[str, ...] = ()
    """Wire languages that it serves at the same address beside that one."""
    base_url: str = ""
    """Its own address; empty: the configuration must give one."""
    api_key_env: str = ""
    """The environment variable its credential usually stands in; empty: none is usual."""
    auth: AuthHeader = BEARER
    """How a key is sent."""
    transport: str = "http"
    """How it is reached: "http", or "echo" for the one inside this process."""
    telemetry_name: str = ""
    """The value of gen_ai.provider.name. Empty: `name`, which the conventions allow for those they do not list."""
    local: bool = False
    """Whether it is an engine that usually runs beside the gateway, at `base_url`, without a credential."""
    request_id_headers: tuple[str, ...] = (REQUEST_ID,)
    """Headers, by lower-case name, that name a request in the provider's own logs; the first that is there counts."""
    price_list: str = ""
    """The list of genai-prices that its models' prices stand in, for scripts/gen_prices.py. Empty: none is known."""
    listing_path: str = "/models"
    """Where it lists its models, all of them at once. Empty: it does not."""
    listing_headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that it wants with a request for that list."""
    prefill: Prefill | None = None
    """How its models go on from what is given of an answer. None: that they do is not known."""
    chat: ChatQuirks = STRANGER
    """How it departs from OpenAI, if it speaks `openai_chat`."""
    responses: ResponsesQuirks = RESPONSES_STRANGER
    """What it takes, if it speaks `openai_responses`."""
    gemini: GeminiQuirks = DEVELOPER_API
    """What it takes, if it speaks `gemini`."""
    anthropic: AnthropicQuirks = ANTHROPIC
    """What it takes, if it speaks `anthropic`."""
    dialects_by_id: Mapping[str, str] = field(default_factory=dict)
    """The wire languages of models that it speaks to in another one, by how their ids begin."""
    google_cloud: bool = False
    """Whether it lies in a project and a location of Google Cloud, which its address names, and takes tokens of Google's
    credentials; with a key it takes that instead, as `auth` says."""

    def dialect_of(self, model: str) -> str:
        """The wire language that a model of this id is spoken to in, unless more is known of it."""
        return next((found for start, found in self.dialects_by_id.items() if model.startswith(start)), self.dialect)

    @property
    def dialects(self) -> tuple[str, ...]:
        """All wire languages that it serves, the usual one first."""
        return tuple(dict.fromkeys((self.dialect, *self.other_dialects, *self.dialects_by_id.values())))

    def request_id(self, headers: Mapping[str, str]) -> str:
        """The provider's own id of the request that was answered with these headers; empty if it gave none."""
        for name in self.request_id_headers:
            if found := headers.get(name):
                return found
        return ""
