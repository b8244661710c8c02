"""Which wire language a model is best spoken to in, where its kind of provider serves several."""

import re
from collections.abc import Mapping
from typing import Final

from trunkline_server.providers.kind import RESPONSES, ProviderKind
from trunkline_server.providers.model_facts import ModelFacts

# https://platform.openai.com/docs/guides/latest-model: from these on chat completions refuses tools with reasoning.
_FROM: Final[Mapping[str, tuple[int, int]]] = {"openai": (5, 4)}
"""By kind of provider, the first version of GPT that is asked by Responses."""

_VERSION: Final = re.compile(r"^(?:ft:)?gpt-(\d+)(?:\.(\d+))?(?=-|:|$)")


def dialect_of(kind: ProviderKind, model: str, facts: ModelFacts) -> str:
    """The language that is known to be the right one for the model, else that of its kind."""
    if facts.dialect in kind.dialects:
        return facts.dialect
    first, found = _FROM.get(kind.name), _VERSION.match(model)
    if first is None or found is None or RESPONSES not in kind.dialects:
        return kind.dialect_of(model)
    return RESPONSES if (int(found[1]), int(found[2] or 0)) >= first else kind.dialect_of(model)
