"""The data of models holds what it says it holds, and nothing is held against a model that nobody described."""

import typing
from collections.abc import Iterator

import orjson
import pytest
from anthropic.types import ModelParam
from openai.types import ChatModel

from trunkline.v1 import Feature, Modality, ModalityTokens, ReasoningEffort, Usage
from trunkline_server.config.settings import FeatureName, ModalityName, TargetSettings
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.model_book import (
    ALL_FEATURES,
    FILE,
    ModelBook,
    efforts_of,
    features_of,
    modalities_of,
)
from trunkline_server.providers.model_facts import UNKNOWN_MODEL, ModelFacts
from trunkline_server.providers.price_list import PriceLists
from trunkline_server.providers.target import Provider, Target
from trunkline_server.providers.target_facts import ModelKnowledge

DATA = orjson.loads(FILE.read_bytes())
BOOK = ModelBook()
KNOWLEDGE = ModelKnowledge(BOOK, PriceLists())

PREFILL, SAMPLING, TOOLS = Feature.FEATURE_PREFILL, Feature.FEATURE_SAMPLING, Feature.FEATURE_TOOLS

MEMBERS = {
    "match", "except", "sources", "owner", "family", "name", "input", "output", "inputs", "outputs", "can", "cannot",
    "efforts", "created", "shutdown",
}  # fmt: skip


def literals(kind: object) -> Iterator[str]:
    """All names in a type of an SDK."""
    for inner in typing.get_args(kind):
        if isinstance(inner, str):
            yield inner
        else:
            yield from literals(inner)


def target(kind: str, model: str, **settings: object) -> Target:
    provider = Provider(name="p", kind=KINDS[kind], base_url="http://p.test")
    return Target.of(provider, model, TargetSettings.model_validate(settings), KNOWLEDGE)


@pytest.mark.parametrize("rule", DATA["rules"], ids=lambda rule: rule["match"][0])
def test_a_rule_says_where_it_comes_from_and_only_what_can_be_read(rule: dict[str, list[str]]) -> None:
    assert rule.keys() <= MEMBERS
    assert rule["sources"]
    assert set(rule["sources"]) <= DATA["sources"].keys()
    features_of([*rule.get("can", ()), *rule.get("cannot", ())])
    modalities_of([*rule.get("inputs", ()), *rule.get("outputs", ())])
    assert [ReasoningEffort.Name(effort) for effort in efforts_of(rule.get("efforts", ()))] == [
        f"REASONING_EFFORT_{name.upper()}" for name in rule.get("efforts", ())
    ]
    assert not set(rule.get("can", ())) & set(rule.get("cannot", ()))


def test_every_source_is_used() -> None:
    assert {source for rule in DATA["rules"] for source in rule["sources"]} == DATA["sources"].keys()


@pytest.mark.parametrize("name", sorted(literals(ModelParam)))
def test_every_model_of_anthropics_sdk_is_known(name: str) -> None:
    facts = BOOK.facts("anthropic", name)
    assert facts.known
    assert facts.can(TOOLS)
    assert facts.max_input_tokens
    assert facts.max_output_tokens


@pytest.mark.parametrize("name", sorted(literals(ChatModel)))
def test_every_model_of_openais_sdk_is_known(name: str) -> None:
    assert BOOK.facts("openai", name).known


def test_shutdown_dates_are_those_of_openais_sdk() -> None:
    # 2027-01-14 and 2026-12-11 in milliseconds.
    assert BOOK.facts("openai", "gpt-4o").shutdown_at_ms == 1_799_884_800_000
    assert BOOK.facts("openai", "gpt-5").shutdown_at_ms == 1_796_947_200_000
    assert BOOK.facts("openai", "gpt-5.4").shutdown_at_ms == 0


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-image-2"),  # it completes no text
        ("openai", "text-embedding-3-small"),
        ("openai", "claude-opus-5"),  # not the maker's own
        ("anthropic", "gpt-5.4"),
        ("openai_compatible", "gpt-5.4"),  # whatever serves that name there
        ("vllm", "deepseek-v4-pro"),
        ("gemini", "gemini-3.8-flash-tts"),
        ("openrouter", "someone/else"),
        ("vertex", "llama-4"),
    ],
)
def test_what_is_not_surely_the_model_of_that_name_is_not_known(kind: str, model: str) -> None:
    assert BOOK.facts(kind, model) == UNKNOWN_MODEL


def test_a_model_newer_than_the_data_is_known_by_its_family_and_nothing_of_its_own_is_held_against_it() -> None:
    facts = BOOK.facts("openai", "gpt-9")
    assert (facts.known, facts.owner, facts.max_input_tokens) == (True, "openai", None)
    assert all(facts.takes(modality) for modality in Modality.values())
    assert not facts.cannot(Feature.FEATURE_JSON_SCHEMA)
    assert not facts.can(Feature.FEATURE_JSON_SCHEMA)


@pytest.mark.parametrize(
    ("kind", "model", "same"),
    [
        ("vertex", "claude-opus-4-8@20260301", "claude-opus-4-8"),
        ("vertex", "publishers/anthropic/models/claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("anthropic", "claude-opus-4-8", "claude-opus-4-8"),
    ],
)
def test_a_model_elsewhere_by_its_makers_api_is_the_same(kind: str, model: str, same: str) -> None:
    assert BOOK.facts(kind, model) == BOOK.facts("anthropic", same)


def test_by_an_api_that_all_models_share_only_what_is_the_models_own_counts() -> None:
    there, here = BOOK.facts("openrouter", "anthropic/claude-opus-4.8:free"), BOOK.facts("anthropic", "claude-opus-4-8")
    assert here.cannot(SAMPLING)
    assert not there.cannot(SAMPLING)
    assert (there.family, there.max_input_tokens, there.input_modalities) == (
        here.family,
        here.max_input_tokens,
        here.input_modalities,
    )


@pytest.mark.parametrize(
    ("kind", "model", "can", "cannot"),
    [
        ("anthropic", "claude-opus-4-7", ["reasoning", "json_schema"], ["sampling", "prefill", "reasoning_budget"]),
        ("anthropic", "claude-haiku-4-5", ["sampling", "prefill", "reasoning_budget"], ["reasoning_always"]),
        ("anthropic", "claude-fable-5-1", ["reasoning_always"], ["forced_tool_choice"]),
        ("openai", "gpt-4.1", ["sampling", "logprobs", "json_schema"], ["reasoning"]),
        ("openai", "gpt-4-turbo", ["tools"], ["json_schema"]),
        ("openai", "o3", ["reasoning_always"], ["sampling", "stop", "logprobs"]),
        ("openai", "gpt-6.1-sol", ["reasoning_always", "custom_tools"], ["penalties"]),
        ("openai", "gpt-5.4-mini", ["reasoning"], ["prefill"]),
        ("gemini", "gemini-2.5-pro", ["reasoning_always", "sampling"], ["tool_result_images"]),
        ("gemini", "gemini-3.7-flash", ["tool_result_images"], ["sampling", "penalties", "prefill"]),
    ],
)
def test_what_vendors_document(kind: str, model: str, can: list[str], cannot: list[str]) -> None:
    facts = BOOK.facts(kind, model)
    assert [name for name in can if not facts.can(Feature.Value(f"FEATURE_{name.upper()}"))] == []
    assert [name for name in cannot if not facts.cannot(Feature.Value(f"FEATURE_{name.upper()}"))] == []


def test_the_configurations_names_are_the_contracts() -> None:
    assert features_of(typing.get_args(FeatureName)) == ALL_FEATURES
    assert modalities_of(typing.get_args(ModalityName)) == set(Modality.values()) - {0}


def test_the_configuration_counts_where_it_speaks() -> None:
    said = {"can": ["prefill"], "cannot": ["tools"], "input": ["text"], "reasoning_efforts": ["low"]}
    facts = target("openai", "gpt-5.4", capabilities=said, max_input_tokens=7, max_output_tokens=5).facts
    assert (facts.can(PREFILL), facts.cannot(TOOLS), facts.can(Feature.FEATURE_JSON_SCHEMA)) == (True, True, True)
    assert not facts.takes(Modality.MODALITY_IMAGE)
    assert (facts.max_input_tokens, facts.max_output_tokens) == (7, 5)
    assert facts.reasoning_efforts == (ReasoningEffort.REASONING_EFFORT_LOW,)


def test_a_stranger_that_is_described_lacks_only_what_it_is_said_to_lack() -> None:
    facts = target("vllm", "mine", capabilities={"cannot": ["tools"]}).facts
    assert facts.cannot(TOOLS)
    assert not any(facts.cannot(feature) for feature in ALL_FEATURES - {TOOLS})
    assert facts.takes(Modality.MODALITY_IMAGE)


def test_contract_prices_replace_the_list() -> None:
    prices = target("openai", "gpt-5.4", prices={"input_usd_per_million": 1.5, "output_usd_per_million": "2"}).prices
    assert prices is not None
    pricing = prices.pricing(0)
    assert (pricing.input_nano_usd_per_million, pricing.output_nano_usd_per_million) == (1_500_000_000, 2_000_000_000)
    assert pricing.price_version == ""


def test_what_is_cached_and_sound_is_paid_once_by_contract() -> None:
    said = {"input_usd_per_million": 1, "output_usd_per_million": 1}
    prices = target(
        "vllm", "m", prices=said | {"cache_read_usd_per_million": 0, "input_audio_usd_per_million": 3}
    ).prices
    usage = Usage(
        input_tokens=1000,
        cache_read_tokens=300,
        input_by_modality=ModalityTokens(audio=500),
        cache_read_by_modality=ModalityTokens(audio=200),
    )
    assert prices is not None
    cost = prices.cost(usage, "", 0)
    assert cost is not None
    assert cost.nano_usd == 300 * 3_000 + 400 * 1_000  # 300 of sound, 400 of text; the rest is cached


def test_nothing_is_known_of_a_stranger() -> None:
    stranger = target("openai_compatible", "m")
    assert stranger.facts == ModelFacts()
    assert stranger.prices is None
    assert stranger.facts.capabilities() is None
