"""What providers do wrong, independent of how their wire spells it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from upstream import Answer, Script

WORDS: Sequence[str] = tuple(f"word{number}" for number in range(1, 61))
"""What every provider answers."""
TEXT = " ".join(WORDS)
CUT_AFTER = 40
"""How many words come before a cut or a stall."""
FOREVER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider says it used."""

    input: int
    output: int


class Spelling(Protocol):
    """One wire language, as a provider writes it. `model` is what it calls itself."""

    kind: str
    """Which row of the provider table speaks it."""

    def is_stream(self, answer: Answer) -> bool:
        """Whether a stream was asked for."""
        ...

    def prefix(self, answer: Answer) -> str:
        """The text that the model is to go on from; empty: none."""
        ...

    def body(self, text: str, model: str, tokens: Tokens) -> bytes:
        """A whole answer."""
        ...

    async def start(self, answer: Answer, model: str) -> None:
        """The beginning of a stream."""
        ...

    async def word(self, answer: Answer, text: str, model: str) -> None:
        """A piece of text."""
        ...

    async def malformed(self, answer: Answer) -> None:
        """An event that cannot be read."""
        ...

    async def finish(self, answer: Answer, model: str, tokens: Tokens, *, reason: str = "stop") -> None:
        """The finish reason and the usage; nothing after it."""
        ...

    async def end(self, answer: Answer) -> None:
        """What marks the end of a stream, and its end."""
        ...

    async def in_band_error(self, answer: Answer) -> None:
        """A failure told inside a stream."""
        ...

    async def refuse(
        self, answer: Answer, status: int, *, kind: str = "", retry_after: str = "", message: str = "no"
    ) -> None:
        """An answer that refuses. `kind`: "context", "filter", "prefill" or nothing in particular."""
        ...


@dataclass(frozen=True)
class Faults:
    """Scripts for an upstream that speaks one wire language."""

    wire: Spelling
    model: str
    tokens: Tokens = Tokens(11, 60)

    async def _words(self, answer: Answer, words: Sequence[str], *, first: bool) -> None:
        for index, word in enumerate(words):
            await self.wire.word(answer, word if first and index == 0 else f" {word}", self.model)

    def _body(self, text: str) -> bytes:
        return self.wire.body(text, self.model, self.tokens)

    def _cut_at(self, text: str, share: float) -> int:
        return int(len(self._body(text)) * share)

    async def _whole(self, answer: Answer, text: str, *, share: float = 1.0) -> None:
        """A whole answer, or the share of it that comes first."""
        body = self._body(text)
        await answer.head(200, {"content-type": "application/json", "content-length": str(len(body))})
        await answer.send(body[: self._cut_at(text, share)])

    def _rest(self, answer: Answer) -> tuple[Sequence[str], bool]:
        """The words still to be said, and whether the first of them begins the answer."""
        prefix = self.wire.prefix(answer)
        assert TEXT.startswith(prefix), "the gateway asked to go on from what was never said"
        return TEXT[len(prefix) :].split(), not prefix

    def well(
        self, *, prefill: bool = True, end: bool = True, malformed_at: int = -1, first_after_s: float = 0
    ) -> Script:
        """Answers, whole or as a stream, and goes on from what it is given if it takes `prefill`."""

        async def script(answer: Answer) -> None:
            prefix = self.wire.prefix(answer)
            if prefix and not prefill:
                await self.wire.refuse(answer, 400, kind="prefill")
                return
            words, begins = self._rest(answer)
            if not self.wire.is_stream(answer):
                await asyncio.sleep(first_after_s)
                await self._whole(answer, TEXT[len(prefix) :])
                return
            await self.wire.start(answer, self.model)
            await asyncio.sleep(first_after_s)
            for index, word in enumerate(words):
                if index == malformed_at:
                    await self.wire.malformed(answer)
                await self._words(answer, [word], first=index == 0 and begins)
            await self.wire.finish(answer, self.model, self.tokens)
            if end:
                await self.wire.end(answer)
            else:
                await asyncio.sleep(FOREVER_S)

        return script

    def cut(self, after: int = CUT_AFTER) -> Script:
        """Breaks off in the middle, without a word."""

        async def script(answer: Answer) -> None:
            if not self.wire.is_stream(answer):
                await self._whole(answer, TEXT, share=0.6)
                await asyncio.sleep(1.0)
                answer.reset()
                return
            words, begins = self._rest(answer)
            await self.wire.start(answer, self.model)
            await self._words(answer, words[:after], first=begins)
            # The reset must not overtake what was sent: an RST discards what its receiver has not read.
            await asyncio.sleep(1.0)
            answer.reset()

        return script

    def stalls(self, pause_s: float) -> Script:
        """Pauses in the middle."""

        async def script(answer: Answer) -> None:
            if not self.wire.is_stream(answer):
                await self._whole(answer, TEXT, share=0.5)
                await asyncio.sleep(pause_s)
                await answer.send(self._body(TEXT)[self._cut_at(TEXT, 0.5) :])
                return
            words, begins = self._rest(answer)
            await self.wire.start(answer, self.model)
            await self._words(answer, words[:CUT_AFTER], first=begins)
            await asyncio.sleep(pause_s)
            await self._words(answer, words[CUT_AFTER:], first=False)
            await self.wire.finish(answer, self.model, self.tokens)
            await self.wire.end(answer)

        return script

    def unreadable_once_whole(self) -> Script:
        """A stream with one event that cannot be read; a whole body that cannot be, the first time."""
        calls = 0

        async def script(answer: Answer) -> None:
            nonlocal calls
            calls += 1
            if self.wire.is_stream(answer) or calls > 1:
                await self.well(malformed_at=20)(answer)
            else:
                await answer.json(self._body(TEXT)[:20], 200)

        return script

    def fails_midway(self) -> Script:
        """A failure told inside a stream, after a few words."""

        async def script(answer: Answer) -> None:
            words, begins = self._rest(answer)
            await self.wire.start(answer, self.model)
            await self._words(answer, words[:3], first=begins)
            await self.wire.in_band_error(answer)
            await answer.end_stream()

        return script

    def refuses(self, status: int, *, kind: str = "", retry_after: str = "") -> Script:
        """An error answer."""

        async def script(answer: Answer) -> None:
            await self.wire.refuse(answer, status, kind=kind, retry_after=retry_after)

        return script

    def filtered(self) -> Script:
        """Content is refused: a stream ends with it, a whole answer is an error."""

        async def script(answer: Answer) -> None:
            if not self.wire.is_stream(answer):
                await self.wire.refuse(answer, 400, kind="filter")
                return
            await self.wire.start(answer, self.model)
            await self._words(answer, WORDS[:10], first=True)
            await self.wire.finish(answer, self.model, self.tokens, reason="content_filter")
            await self.wire.end(answer)

        return script

    def resets(self) -> Script:
        """Closes the connection instead of answering."""

        async def script(answer: Answer) -> None:
            answer.reset()

        return script

    def silent(self, silence_s: float) -> Script:
        """Takes the request and says nothing for so long."""

        async def script(answer: Answer) -> None:
            await asyncio.sleep(silence_s)
            await self.well()(answer)

        return script
