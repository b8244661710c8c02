"""What a Claude model takes: as its facts say or, where nothing is known of it, as its id lets one expect."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from trunkline.v1 import Feature, ReasoningEffort
from trunkline_server.providers.anthropic_quirks import NEW_VERSION, OLD_VERSION
from trunkline_server.providers.target import Target

Effort = ReasoningEffort

# "claude-sonnet-4-5-20250929", "claude-opus-4@20250514"; "claude-3-7-sonnet-latest", "claude-2.1".
_NAMED_FIRST: Final = re.compile(r"claude-(?P<line>[a-z]+)-(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)")
_NAMED_LAST: Final = re.compile(r"claude-(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)(?:-(?P<line>[a-z]+))?")
_NEWEST: Final = (99, 0)

# Lines that take neither sampling nor demanded calls, and whose thinking cannot be turned off:
# https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
_FREE: Final = ("fable", "mythos")
_ALWAYS_THINKING_OPUS: Final = (5, 5)

# Most output tokens by the first version that has them, cautiously: what all models from there on take.
# https://platform.claude.com/docs/en/about-claude/models/overview
_MAX_TOKENS: Final = (((4, 5), 64_000), ((3, 7), 32_000), ((3, 5), 8_192), ((0, 0), 4_096))
_UNKNOWN_MAX_TOKENS: Final = 4_096

_BEFORE_4_7: Final = (
    Effort.REASONING_EFFORT_LOW,
    Effort.REASONING_EFFORT_MEDIUM,
    Effort.REASONING_EFFORT_HIGH,
    Effort.REASONING_EFFORT_MAX,
)
_FROM_4_7: Final = (*_BEFORE_4_7[:-1], Effort.REASONING_EFFORT_XHIGH, Effort.REASONING_EFFORT_MAX)


class Generation(NamedTuple):
    """A model's version and line, read from its id."""

    version: tuple[int, int] | None
    """None: it is no Claude model, but another that is spoken to in this wire."""
    line: str
    """Such as "opus"; empty: its id does not say."""

    @property
    def is_free(self) -> bool:
        """Whether it is of a line that can be held to little."""
        return self.line in _FREE

    @property
    def thinks_adaptively(self) -> bool:
        """Whether it decides by itself how much to think, guided by an effort."""
        return self.version is not None and self.version >= (4, 6)

    @property
    def takes_one_sampling_parameter(self) -> bool:
        """Whether temperature and top_p exclude each other: https://platform.claude.com/docs/en/about-claude/models."""
        return self.version is not None and (4, 1) <= self.version < (4, 7)


def generation_of(target: Target) -> Generation:
    """The generation of the target's model."""
    return _read(target.model)


def version_of(target: Target) -> str:
    """The version of the wire that the target is spoken to in."""
    return target.api_version or target.provider.api_version or OLD_VERSION


def takes_sampling(target: Target) -> bool:
    """Whether temperature, top_p and top_k are let pass: https://platform.claude.com/docs/en/api/versioning."""
    allowed = _known(target, Feature.FEATURE_SAMPLING)
    if allowed is None:
        generation = generation_of(target)
        allowed = generation.version is None or (generation.version < (4, 7) and not generation.is_free)
    quirks = target.provider.kind.anthropic
    return allowed and (bool(quirks.body_version) or version_of(target) < NEW_VERSION)


def thinks_by_budget(target: Target) -> bool:
    """Whether it takes a budget of thinking tokens."""
    if (known := _known(target, Feature.FEATURE_REASONING_BUDGET)) is not None:
        return known
    version = generation_of(target).version
    return version is None or (3, 7) <= version < (4, 7)


def always_thinks(target: Target) -> bool:
    """Whether thinking cannot be turned off."""
    if (known := _known(target, Feature.FEATURE_REASONING_ALWAYS)) is not None:
        return known
    generation = generation_of(target)
    if generation.version is None:
        return False
    return generation.is_free or (generation.line == "opus" and generation.version >= _ALWAYS_THINKING_OPUS)


def takes_schemas(target: Target) -> bool:
    """Whether it holds its answer to a schema by itself."""
    if (known := _known(target, Feature.FEATURE_JSON_SCHEMA)) is not None:
        return known
    version = generation_of(target).version
    return version is not None and version >= (4, 5)


def takes_strict_tools(target: Target) -> bool:
    """Whether it holds calls to their schemas, which came with schemas for answers."""
    version = generation_of(target).version
    return version is None or version >= (4, 5)


def takes_forced_calls(target: Target) -> bool:
    """Whether a call can be demanded of it."""
    if (known := _known(target, Feature.FEATURE_FORCED_TOOL_CHOICE)) is not None:
        return known
    return not generation_of(target).is_free


def takes_midway_system(target: Target) -> bool:
    """Whether system messages may stand in the conversation. Sonnet 5 passes over them, which is worse than a no."""
    if (known := _known(target, Feature.FEATURE_MIDWAY_SYSTEM_MESSAGES)) is not None:
        return known
    generation = generation_of(target)
    if generation.version is None or generation.version == _NEWEST:
        return False
    return generation.version > ((5, 0) if generation.line == "sonnet" else (4, 7))


def takes_prefill(target: Target) -> bool:
    """Whether it goes on from words of its own that stand last."""
    if (known := _known(target, Feature.FEATURE_PREFILL)) is not None:
        return known
    generation = generation_of(target)
    return generation.version is None or (generation.version < (4, 6) and not generation.is_free)


def efforts_of(target: Target) -> "tuple[ReasoningEffort.ValueType, ...]":
    """Efforts that it takes, from least to most."""
    if target.facts.reasoning_efforts:
        return target.facts.reasoning_efforts
    version = generation_of(target).version
    return _BEFORE_4_7 if version is not None and version < (4, 7) else _FROM_4_7


def max_tokens_of(target: Target) -> int:
    """Most output tokens, or as many as its like are sure to take."""
    if target.facts.max_output_tokens is not None:
        return target.facts.max_output_tokens
    version = generation_of(target).version
    if version is None:
        return _UNKNOWN_MAX_TOKENS
    return next(tokens for since, tokens in _MAX_TOKENS if version >= since)


def _known(target: Target, feature: "Feature.ValueType") -> bool | None:
    """Whether the model is known to have it; None: that is not known."""
    if target.facts.can(feature):
        return True
    return False if target.facts.cannot(feature) else None


@lru_cache(maxsize=1024)
def _read(model: str) -> Generation:
    if "claude" not in model:
        return Generation(None, "")
    found = _NAMED_FIRST.search(model) or _NAMED_LAST.search(model)
    if found is not None:
        return Generation((int(found["major"]), int(found["minor"] or 0)), found["line"] or "")
    return Generation(_NEWEST, next((line for line in _FREE if line in model), ""))
