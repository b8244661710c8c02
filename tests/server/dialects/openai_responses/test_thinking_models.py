"""Whether a model of OpenAI reasons is told by its name, and better by what is known of it."""

from dataclasses import replace

import pytest

from targets import target_of
from trunkline.v1 import Feature
from trunkline_server.dialects.openai_responses.thinking_models import can_reason, does_reason
from trunkline_server.providers.model_facts import ModelFacts


@pytest.mark.parametrize(
    ("model", "can", "unasked", "with_none", "with_low"),
    [
        ("gpt-4.1", False, False, False, False),
        ("gpt-4o-mini", False, False, False, False),
        ("chatgpt-4o-latest", False, False, False, False),
        ("gpt-5-chat-latest", False, False, False, False),
        ("gpt-5", True, True, True, True),
        ("gpt-5-mini", True, True, True, True),
        ("gpt-5.2-pro", True, True, True, True),
        ("gpt-5.1-codex-max", True, True, True, True),
        ("o3-mini", True, True, True, True),
        ("gpt-5.1", True, False, False, True),
        ("gpt-5.4", True, False, False, True),
        ("gpt-5.5", True, True, False, True),
        ("gpt-6.2-astra", True, True, False, True),
        ("openai/gpt-5.6-sol", True, True, False, True),
        ("openai.gpt-5.6-luna", True, True, False, True),
        ("ft:gpt-4.1:acme::1", False, False, False, False),
        # They take sampling parameters while they reason.
        ("gpt-oss-120b", True, False, False, False),
        ("grok-4", True, False, False, False),
        ("something-new", None, False, False, False),
    ],
)
def test_a_name_tells(model: str, can: bool | None, unasked: bool, with_none: bool, with_low: bool) -> None:
    target = target_of("openai", model=model)
    assert can_reason(target) is can
    efforts = ("", "none", "low")
    assert [does_reason(target, effort) for effort in efforts] == [unasked, with_none, with_low]


def test_what_is_known_tells_more_than_a_name() -> None:
    target = target_of("openai", model="gpt-5")
    thoughtless = replace(target, facts=ModelFacts(known=True))
    assert (can_reason(thoughtless), does_reason(thoughtless, "high")) == (False, False)
    named = target_of("openai", model="something-new")
    assert can_reason(replace(named, facts=ModelFacts(known=True, features=frozenset({Feature.FEATURE_REASONING}))))
