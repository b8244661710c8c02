"""The provider table keeps its own rules, whatever rows it has."""

from urllib.parse import urlsplit

import pytest

from trunkline_server.providers.chat_quirks import ALL_EFFORTS, OPENAI_MEMBERS, STRANGER, USER
from trunkline_server.providers.kinds import KINDS

# What engines and copies of the wire have not; sent to one of them, it would be refused or ignored in silence.
PLATFORM_ONLY = {
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "safety_identifier",
    "service_tier",
    "store",
    "verbosity",
}
# Members beside OpenAI's own that the dialect can set.
ENGINE_MEMBERS = {"include_reasoning", "min_p", "repetition_penalty", "thinking_token_budget", "top_k"}
USUAL_PORTS = {"vllm": 8000, "sglang": 30000, "ollama": 11434, "llamacpp": 8080, "lmstudio": 1234}

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_a_row_stands_under_its_name(kind: str) -> None:
    assert KINDS[kind].name == kind


@every_kind
def test_an_address_is_whole_and_has_no_slash_at_its_end(kind: str) -> None:
    base_url = KINDS[kind].base_url
    assert not base_url.endswith("/")
    assert not base_url or urlsplit(base_url).scheme in {"http", "https", KINDS[kind].transport}


@every_kind
def test_clear_text_stays_on_this_machine(kind: str) -> None:
    parts = urlsplit(KINDS[kind].base_url)
    assert parts.scheme != "http" or parts.hostname == "127.0.0.1"


@every_kind
def test_a_local_engine_has_an_address_and_no_credential(kind: str) -> None:
    row = KINDS[kind]
    assert row.local == (kind in USUAL_PORTS)
    if row.local:
        assert (urlsplit(row.base_url).port, row.api_key_env) == (USUAL_PORTS[kind], "")


@every_kind
def test_only_members_that_the_dialect_knows_are_named(kind: str) -> None:
    quirks = KINDS[kind].chat
    assert quirks.members <= OPENAI_MEMBERS | ENGINE_MEMBERS
    assert quirks.spellings.keys() <= OPENAI_MEMBERS | ENGINE_MEMBERS
    assert quirks.inputs <= {"image", "audio", "file", "video"}
    assert quirks.image_details <= {"auto", "low", "high", "original"}
    assert quirks.reasoning_member in {"", "reasoning", "reasoning_content", "content"}


@every_kind
def test_efforts_stand_in_order_and_one_of_them_thinks(kind: str) -> None:
    efforts = KINDS[kind].chat.efforts
    assert list(efforts) == [effort for effort in ALL_EFFORTS if effort in efforts]
    assert set(efforts) - {"none"}


def test_a_stranger_is_not_trusted_with_what_only_openai_has() -> None:
    assert not STRANGER.members & PLATFORM_ONLY
    assert (STRANGER.developer_role, STRANGER.custom_tools, STRANGER.reasoning_member) == (False, False, "")
    assert STRANGER.spellings == {"max_completion_tokens": "max_tokens"}


@pytest.mark.parametrize("kind", sorted(USUAL_PORTS.keys() | {"openai_compatible", "tgi"}))
def test_engines_are_not_sent_what_only_openai_has(kind: str) -> None:
    assert not KINDS[kind].chat.members & PLATFORM_ONLY


def test_openai_itself_is_known() -> None:
    openai = KINDS["openai"]
    assert (openai.base_url, openai.api_key_env, openai.telemetry_name) == (
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        "openai",
    )
    assert openai.chat.spellings == {}


# https://github.com/open-telemetry/semantic-conventions-genai lists these; others go by the name of their kind.
WELL_KNOWN = {
    "cohere": "cohere",
    "deepseek": "deepseek",
    "gemini": "gcp.gemini",
    "groq": "groq",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "openai": "openai",
    "perplexity": "perplexity",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}


def test_telemetry_uses_the_names_of_the_conventions() -> None:
    assert {kind: row.telemetry_name for kind, row in KINDS.items() if row.telemetry_name} == WELL_KNOWN


def test_no_two_kinds_share_an_address_or_a_credential() -> None:
    for values in ([row.base_url for row in KINDS.values()], [row.api_key_env for row in KINDS.values()]):
        given = [value for value in values if value]
        assert len(set(given)) == len(given)


@every_kind
def test_a_credential_goes_to_an_address_of_the_vendors_own(kind: str) -> None:
    row = KINDS[kind]
    assert not row.api_key_env or urlsplit(row.base_url).scheme == "https"


@every_kind
def test_headers_are_named_in_lower_case(kind: str) -> None:
    row = KINDS[kind]
    assert row.request_id_headers
    assert row.request_id_headers == tuple(name.lower() for name in row.request_id_headers)


@every_kind
def test_quirks_do_not_contradict_each_other(kind: str) -> None:
    quirks = KINDS[kind].chat
    assert not (quirks.reasoning_details and not quirks.reasoning_member)
    assert not (quirks.reasoning_with_calls and quirks.reasoning_member not in {"reasoning", "reasoning_content"})
    assert not (quirks.service_tiers and "service_tier" not in quirks.members)
    assert not (quirks.document_urls and "file" not in quirks.inputs)
    assert quirks.json_object or quirks.json_schema
    assert quirks.spellings.keys() <= quirks.members | {"max_completion_tokens"} | USER.keys()


@pytest.mark.parametrize(
    ("kind", "headers", "request_id"),
    [
        ("openai", {"x-request-id": "a"}, "a"),
        ("openai", {}, ""),
        ("mistral", {"mistral-correlation-id": "m", "x-request-id": "a"}, "m"),
        ("mistral", {"mistral-correlation-id": "", "x-request-id": "a"}, "a"),
        ("deepseek", {"x-ds-trace-id": "d"}, "d"),
        ("openai", {"x-ds-trace-id": "d"}, ""),
    ],
)
def test_a_provider_names_a_request_in_its_own_header(kind: str, headers: dict[str, str], request_id: str) -> None:
    assert KINDS[kind].request_id(headers) == request_id


def test_a_compatible_provider_must_be_given_an_address() -> None:
    assert KINDS["openai_compatible"].base_url == ""


def test_echo_is_reached_without_the_network_or_a_key() -> None:
    assert (KINDS["echo"].transport, KINDS["echo"].base_url, KINDS["echo"].api_key_env) == ("echo", "echo:", "")
