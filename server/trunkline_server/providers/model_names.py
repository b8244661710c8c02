"""Under which name a provider's model is known to everybody: the same model goes by other names elsewhere."""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

# What openrouter.ai calls the makers of models, and we call them.
_MAKERS: Final[Mapping[str, str]] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "deepseek": "deepseek",
    "x-ai": "xai",
}
_VERSION: Final = re.compile(r"^(claude-(?:[a-z]+-)?)(\d+)\.(\d+)")


class KnownName(NamedTuple):
    """A model by its maker's name for it."""

    name: str
    """In lower case."""
    owner: str
    """Whose it must be: a name that another maker uses means another model."""
    own_api: bool
    """Whether the provider serves it by its maker's own API, and not by one that all models share."""


def known_name(kind: str, model: str) -> KnownName | None:
    """The name of a provider's model, by the provider's kind. None: its names cannot be trusted to be its makers'."""
    read = _READERS.get(kind)
    return None if read is None else read(model.lower())


def _own(owner: str) -> Callable[[str], KnownName | None]:
    return lambda model: KnownName(model, owner, own_api=True)


def _openai(model: str) -> KnownName:
    # https://developers.openai.com/api/docs/guides/fine-tuning: "ft:MODEL:ORGANIZATION:SUFFIX:ID".
    if model.startswith("ft:"):
        model = model.split(":")[1]
    return KnownName(model, "openai", own_api=True)


def _gemini(model: str) -> KnownName:
    return KnownName(model.removeprefix("models/"), "google", own_api=True)


def _vertex(model: str) -> KnownName | None:
    """A Gemini or Claude model, maybe with its path: "publishers/anthropic/models/claude-opus-4-8@20260301"."""
    name = model.rpartition("/")[2]
    if name.startswith("gemini-"):
        return KnownName(name, "google", own_api=True)
    if name.startswith("claude-"):
        return KnownName(name.partition("@")[0], "anthropic", own_api=True)
    return None


def _openrouter(model: str) -> KnownName | None:
    """ "anthropic/claude-opus-4.8:free" is Claude Opus 4.8."""
    maker, _, rest = model.partition("/")
    owner = _MAKERS.get(maker)
    if owner is None or not rest:
        return None
    name = rest.partition(":")[0]
    if owner == "anthropic":
        name = _VERSION.sub(r"\1\2-\3", name)
    return KnownName(name, owner, own_api=False)


_READERS: Final[Mapping[str, Callable[[str], KnownName | None]]] = {
    "openai": _openai,
    "anthropic": _own("anthropic"),
    "gemini": _gemini,
    "vertex": _vertex,
    "deepseek": _own("deepseek"),
    "xai": _own("xai"),
    "openrouter": _openrouter,
}
