"""Settings without a file."""

import pytest

from config_files import KINDS, Kind
from trunkline.secret import Secret
from trunkline_server.config.environment import from_environment
from trunkline_server.config.errors import ConfigError
from trunkline_server.config.settings import ProviderSettings, RestSettings, Settings
from trunkline_server.providers.kinds import KINDS as PROVIDER_TABLE

UNSAFE = (
    "only a loopback address may be served without keys: "
    "add keys, ask for client certificates (tls.client_ca_file), or set allow_unauthenticated"
)


def test_nothing_in_the_environment_gives_the_defaults() -> None:
    assert from_environment({}, KINDS) == Settings()
    assert from_environment({"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "http://unused"}, KINDS) == Settings()


def test_every_usual_key_makes_a_provider() -> None:
    kinds = {**KINDS, "other": Kind("https://other.example", "OTHER_KEY"), "nowhere": Kind("", "NOWHERE_KEY")}
    environment = {"OPENAI_API_KEY": "sk-1", "OTHER_KEY": "sk-2", "NOWHERE_KEY": "sk-3", "": "sk-4"}
    assert from_environment(environment, kinds).providers == {
        "openai": ProviderSettings(kind="openai", api_key=Secret("sk-1")),
        "other": ProviderSettings(kind="other", api_key=Secret("sk-2")),
    }


def test_every_vendor_of_the_table_is_picked_up_by_its_variable() -> None:
    variables = {name: row.api_key_env for name, row in PROVIDER_TABLE.items() if row.api_key_env}
    assert {"groq", "mistral", "openrouter", "xai"} <= variables.keys()
    found = from_environment({variable: f"key-of-{name}" for name, variable in variables.items()}, PROVIDER_TABLE)
    assert found.providers == {
        name: ProviderSettings(kind=name, api_key=Secret(f"key-of-{name}")) for name in variables
    }


def test_the_vendors_own_variable_moves_the_provider() -> None:
    environment = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"}
    assert from_environment(environment, KINDS).providers["openai"].base_url == "http://127.0.0.1:9/v1"


def test_overrides_are_taken_and_checked() -> None:
    settings = from_environment({}, KINDS, overrides={("rest", "port"): 0, ("rest", "host"): "::1"})
    assert settings.rest == RestSettings(host="::1", port=0)


def test_every_problem_is_told_at_once() -> None:
    environment = {"OPENAI_API_KEY": "a b", "OPENAI_BASE_URL": "h"}
    with pytest.raises(ConfigError) as caught:
        from_environment(environment, KINDS, overrides={("rest", "host"): "10.0.0.1", ("grpc", "port"): 70000})
    assert caught.value.lines() == [
        "environment: OPENAI_API_KEY: must be visible ASCII characters without a space or line break",
        "environment: OPENAI_BASE_URL: must begin with http:// or https://",
        "environment: grpc.port: must be at most 65535 (set on the command line)",
        f"environment: rest.host: {UNSAFE} (set on the command line)",
    ]
