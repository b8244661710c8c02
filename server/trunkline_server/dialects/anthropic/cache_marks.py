"""Cache breakpoints of a request: how many there may be, in which order, and how long they live.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching: at most four; in the order of tools, system and
messages those that live longer come first.
"""

from typing import Final, NamedTuple

from trunkline.v1 import CompleteRequest, PromptCacheMode
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import Translation

_MEMBER: Final = "cache_control"
_MOST: Final = 4
_SHORT, _LONG = "5m", "1h"
_SHORT_S, _LONG_S = 300, 3600
_EXACT: Final = {_SHORT_S: _SHORT, _LONG_S: _LONG}


class _Mark(NamedTuple):
    block: Json
    path: str


class CacheMarks:
    """The breakpoints so far. Give them in the order of the prompt: tools, system, messages."""

    def __init__(self, request: CompleteRequest, translation: Translation) -> None:
        self._translation = translation
        self._wanted = request.prompt_cache if request.HasField("prompt_cache") else None
        self._marks: list[_Mark] = []

    def mark(self, block: Json, ttl_s: int, path: str) -> None:
        """A breakpoint after this block, tool or instruction."""
        wanted = self._wanted
        if not ttl_s and wanted is not None and wanted.HasField("ttl_s"):
            ttl_s = wanted.ttl_s
        block[_MEMBER] = self._control(ttl_s, f"{path}.cache_ttl_s")
        self._marks.append(_Mark(block, path))

    def close(self, body: Json) -> None:
        """Puts what the request wants of the cache as a whole into the body, and mends what breaks the rules."""
        if self._wanted is None and not self._marks:
            return
        self._put_automatic(body)
        spare = _MOST - (_MEMBER in body)
        for mark in self._marks[: max(0, len(self._marks) - spare)]:
            del mark.block[_MEMBER]
            self._translation.drop(f"{mark.path}.cache_ttl_s", f"there may be {_MOST} breakpoints; the last ones count")
        kept = [mark for mark in self._marks if _MEMBER in mark.block]
        # The automatic one stands behind all others.
        ends = [*kept, _Mark(body, "prompt_cache")] if _MEMBER in body else kept
        last_long = max((at for at, mark in enumerate(ends) if mark.block[_MEMBER].get("ttl") == _LONG), default=-1)
        for mark in ends[: max(0, last_long)]:
            if mark.block[_MEMBER].get("ttl") != _LONG:
                mark.block[_MEMBER]["ttl"] = _LONG
                self._translation.rewrite(
                    f"{mark.path}.cache_ttl_s", "what lives longer comes first, and longer comes after it", _LONG
                )

    def _put_automatic(self, body: Json) -> None:
        wanted = self._wanted
        if wanted is None:
            return
        if wanted.key:
            self._translation.drop("prompt_cache.key", "the provider finds what is cached by what is sent")
        if wanted.mode == PromptCacheMode.PROMPT_CACHE_MODE_AUTOMATIC:
            control = self._control(wanted.ttl_s, "prompt_cache.ttl_s")
            if self._translation.target.provider.kind.anthropic.automatic_cache:
                body[_MEMBER] = control
            elif (last := _last_block(body)) is not None and _MEMBER not in last:
                last[_MEMBER] = control
                self._marks.append(_Mark(last, "prompt_cache"))
                self._translation.emulate("prompt_cache.mode", "a breakpoint after the last block stands for it")
        elif wanted.HasField("ttl_s") and not self._marks:
            self._translation.drop("prompt_cache.ttl_s", "there is no breakpoint that it could be of")

    def _control(self, ttl_s: int, path: str) -> Json:
        """The provider has two lifetimes: what is between them is as near as it can be without more being billed."""
        if not ttl_s:
            return {"type": "ephemeral"}
        ttl = _EXACT.get(ttl_s) or (_LONG if ttl_s > _LONG_S else _SHORT)
        if ttl_s not in _EXACT:
            self._translation.rewrite(path, "the provider has lifetimes of 5m and 1h", ttl)
        return {"type": "ephemeral", "ttl": ttl}


def _last_block(body: Json) -> Json | None:
    """The last block of the conversation that may carry a breakpoint."""
    for turn in reversed(body["messages"]):
        for block in reversed(turn["content"]):
            if block["type"] not in UNMARKED:
                found: Json = block
                return found
    return None


UNMARKED: Final = frozenset({"thinking", "redacted_thinking"})
"""Blocks that may carry no breakpoint."""
