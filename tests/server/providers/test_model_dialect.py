"""A model is spoken to in the language that is right for it."""

import pytest

from targets import target_of
from trunkline.v1 import Feature
from trunkline_server.config.settings import TargetSettings
from trunkline_server.dialects.registry import DIALECTS
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.model_dialect import dialect_of
from trunkline_server.providers.model_facts import UNKNOWN_MODEL, ModelFacts
from trunkline_server.providers.target import Provider, Target

RESPONSES = "openai_responses"
CHAT = "openai_chat"


@pytest.mark.parametrize("kind", KINDS)
def test_every_language_of_a_kind_exists(kind: str) -> None:
    row = KINDS[kind]
    assert set(row.dialects) <= DIALECTS.keys()
    assert len(set(row.dialects)) == len(row.dialects)


@pytest.mark.parametrize(
    ("kind", "model", "dialect"),
    [
        ("openai", "gpt-5.4", RESPONSES),
        ("openai", "gpt-5.4-mini", RESPONSES),
        ("openai", "gpt-5.6-sol", RESPONSES),
        ("openai", "gpt-6-luna", RESPONSES),
        ("openai", "gpt-6.2-astra", RESPONSES),
        ("openai", "gpt-10", RESPONSES),
        ("openai", "gpt-5.10", RESPONSES),
        ("openai", "ft:gpt-5.4:acme::1", RESPONSES),
        ("openai", "gpt-5.3", CHAT),
        ("openai", "gpt-5", CHAT),
        ("openai", "gpt-5-mini", CHAT),
        ("openai", "gpt-4.1", CHAT),
        ("openai", "gpt-4o", CHAT),
        ("openai", "o3", CHAT),
        ("openai", "my-gpt-6", CHAT),
        ("openai", "gpt-oss-120b", CHAT),
        ("openrouter", "openai/gpt-5.4", CHAT),
        ("vllm", "gpt-5.4", CHAT),
        ("groq", "gpt-5.4", CHAT),
        ("gemini", "gemini-3-flash", "gemini"),
    ],
)
def test_openais_newer_models_are_asked_by_responses(kind: str, model: str, dialect: str) -> None:
    assert target_of(kind, model=model).dialect == dialect


def test_the_configuration_decides_over_all() -> None:
    provider = Provider(name="p", kind=KINDS["openai"], base_url="http://127.0.0.1:9/v1")
    for dialect in (CHAT, RESPONSES):
        for model in ("gpt-4.1", "gpt-6-sol"):
            assert Target.of(provider, model, TargetSettings(dialect=dialect)).dialect == dialect


def test_what_is_known_of_a_model_decides_over_its_name() -> None:
    assert dialect_of(KINDS["openai"], "gpt-6-sol", ModelFacts(dialect=CHAT)) == CHAT
    assert dialect_of(KINDS["groq"], "openai/gpt-oss-120b", ModelFacts(dialect=RESPONSES)) == RESPONSES
    assert dialect_of(KINDS["gemini"], "gemini-3-flash", ModelFacts(dialect=RESPONSES)) == "gemini"
    assert dialect_of(KINDS["openai"], "gpt-6-sol", UNKNOWN_MODEL) == RESPONSES


def test_no_answer_is_gone_on_with_in_a_language_that_it_is_not_known_for() -> None:
    provider = Provider(name="p", kind=KINDS["vllm"], base_url="http://127.0.0.1:9/v1")
    assert Target.of(provider, "m").facts.can(Feature.FEATURE_PREFILL)
    assert not Target.of(provider, "m", TargetSettings(dialect=RESPONSES)).facts.can(Feature.FEATURE_PREFILL)
