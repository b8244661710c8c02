"""Where a model's methods are, below the provider's base URL."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from trunkline_server.dialects.translation import Translation
from trunkline_server.providers.target import Target

# "gemini-2.5-flash", "tunedModels/mine", "meta/llama-4", "endpoints/123".
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*(/[A-Za-z0-9][A-Za-z0-9._@-]*)*")
# What an id begins with that is a path already.
_COLLECTIONS: Final = ("models/", "tunedModels/", "publishers/", "endpoints/")


def method_path(method: str, translation: Translation) -> str:
    """The path of a method such as "generateContent" for the target's model.

    Clients may name models that nobody listed, so an id that would lead elsewhere is refused.
    """
    target = translation.target
    if not (path := _path(target.model, target.provider.kind.gemini.publisher)):
        raise translation.refusal("model", "is not the id of a model of this provider")
    return f"{path}:{method}"


def resource_of(target: Target) -> str:
    """What the API calls the target's model, such as "models/gemini-2.5-flash"."""
    return _resource(target.model, target.provider.kind.gemini.publisher)


@lru_cache(maxsize=1024)
def _path(model: str, publisher: str) -> str:
    """Where the model is; empty if its id would lead elsewhere."""
    return f"/{quote(_resource(model, publisher), safe='/@')}" if _MODEL.fullmatch(model) else ""


def _resource(model: str, publisher: str) -> str:
    if model.startswith(_COLLECTIONS):
        return model
    if not publisher:
        return f"models/{model}"
    owner, slash, name = model.partition("/")
    return f"publishers/{owner}/models/{name}" if slash else f"publishers/{publisher}/models/{model}"
