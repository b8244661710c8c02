"""Whether a model of OpenAI reasons, as far as its name tells; what is known of it for sure comes first.

https://platform.openai.com/docs/guides/reasoning: the o series and GPT-5 always reason, GPT-5.1 to 5.4 when asked, and
later ones unless told not to. A model that reasons takes no sampling parameters and tells no log probabilities; one that
cannot refuses to be asked for its encrypted reasoning.
"""

import re
from functools import lru_cache
from typing import Final

from trunkline.v1 import Feature
from trunkline_server.providers.target import Target

_GPT: Final = re.compile(r"(?:^|[/.:])gpt-(\d+)(?:\.(\d+))?((?:-[a-z0-9]+)*)")
_ALWAYS: Final = re.compile(r"(?:^|[/.:])(?:o\d|codex-)")
_ELSEWHERE: Final = re.compile(r"(?:^|[/.:])(?:gpt-oss|grok-)")
_NEVER: Final = re.compile(r"(?:^|[/.:])chatgpt-")
_ALWAYS_BY_SIZE: Final = frozenset({"pro", "codex"})
_CHAT: Final = "chat"
_FIRST, _ASKED_FROM, _UNASKED_FROM = (5, 0), (5, 1), (5, 5)
_NONE: Final = "none"


def can_reason(target: Target) -> bool | None:
    """Whether it can reason at all. None: nobody knows."""
    if target.facts.can(Feature.FEATURE_REASONING):
        return True
    return False if target.facts.cannot(Feature.FEATURE_REASONING) else _read(target.model)[0]


def does_reason(target: Target, effort: str) -> bool:
    """Whether it is a model of OpenAI's own that is sure to reason when asked with this effort; empty: with none said.

    Those of others take sampling parameters all the same.
    """
    if can_reason(target) is False:
        return False
    asked_from = _read(target.model)[1]
    if asked_from is None:
        return False
    if asked_from < _ASKED_FROM:
        return True
    return effort != _NONE if asked_from >= _UNASKED_FROM else effort not in ("", _NONE)


@lru_cache(maxsize=1024)
def _read(model: str) -> tuple[bool | None, tuple[int, int] | None]:
    """Whether the model can reason, and the version of GPT that it is like in when it does, if it is like any."""
    if _NEVER.search(model):
        return False, None
    if _ALWAYS.search(model):
        return True, _FIRST
    if _ELSEWHERE.search(model):
        return True, None
    found = _GPT.search(model)
    if found is None:
        return None, None
    version = (int(found[1]), int(found[2] or 0))
    words = found[3].split("-")
    if version < _FIRST or _CHAT in words:
        return False, None
    return True, _FIRST if _ALWAYS_BY_SIZE.intersection(words) else version
