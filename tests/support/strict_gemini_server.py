"""A provider that speaks Gemini's wire and refuses, as Google does, what breaks a rule; it signs what it says."""

import base64
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from strict_gemini import Json, complaints
from upstream import Answer, Upstream, running_upstream

STAND_IN = base64.b64encode(b"skip_thought_signature_validator").decode()
"""The signature that Google lets pass for calls of other models."""
MODEL = re.compile(r"/models/([^/:]+):(streamG|g)enerateContent")
USAGE = {"promptTokenCount": 11, "candidatesTokenCount": 5, "totalTokenCount": 16}


@dataclass
class StrictGemini:
    """A running one."""

    upstream: Upstream
    steps: Sequence[Sequence[Json]]
    """What it answers to one request after the other, as parts; the last one stays."""
    complaints: list[str] = field(default_factory=list)
    """The rules that requests broke."""
    stand_ins: int = 0
    """How many calls came with Google's stand-in in place of a signature."""
    _signed: set[str] = field(default_factory=set)

    @property
    def base_url(self) -> str:
        return self.upstream.base_url

    async def answer(self, answer: Answer) -> None:
        found = MODEL.search(answer.call.path)
        if found is None:
            await answer.json({"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}}, 404)
            return
        if broken := [*complaints(answer.call.json, found[1]), *self._forged(answer.call.json)]:
            self.complaints += broken
            error = {"code": 400, "message": "; ".join(broken), "status": "INVALID_ARGUMENT"}
            await answer.json({"error": error}, 400)
            return
        step = self.steps[min(len(self.upstream.calls), len(self.steps)) - 1]
        parts = list(self._signing(step))
        if found[2] == "g":
            await answer.json(_answer(found[1], parts, finishReason="STOP") | {"usageMetadata": USAGE})
            return
        await answer.start_stream()
        for part in parts:
            await answer.frame(_answer(found[1], [part]))
        await answer.frame(_answer(found[1], [{"text": ""}], finishReason="STOP") | {"usageMetadata": USAGE})
        await answer.end_stream()

    def _forged(self, body: Json) -> Iterator[str]:
        """Signatures that it never gave."""
        for at, content in enumerate(body.get("contents", ())):
            for part in content.get("parts", ()):
                signature = part.get("thoughtSignature")
                if signature == STAND_IN and "functionCall" in part:
                    self.stand_ins += 1
                elif signature is not None and signature not in self._signed:
                    yield f"contents[{at}]: Corrupted thought signature."

    def _signing(self, parts: Sequence[Json]) -> Iterator[Json]:
        """The first call of a step has a signature, or else the last text."""
        first = next((at for at, part in enumerate(parts) if "functionCall" in part), len(parts) - 1)
        for at, part in enumerate(parts):
            if at != first:
                yield part
                continue
            signature = base64.b64encode(f"signed {len(self._signed)}".encode()).decode()
            self._signed.add(signature)
            yield {**part, "thoughtSignature": signature}


def _answer(model: str, parts: Sequence[Json], **more: Any) -> dict[str, Any]:  # noqa: ANN401 members of a JSON object
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}],
        "modelVersion": model,
        "responseId": "resp-1",
    }


@asynccontextmanager
async def strict_gemini(*steps: Sequence[Json]) -> AsyncIterator[StrictGemini]:
    """One that answers with these steps, each a list of parts such as {"functionCall": {"name": "f", "args": {}}}."""

    async def script(answer: Answer) -> None:
        await server.answer(answer)

    async with running_upstream(script) as upstream:
        server = StrictGemini(upstream, steps)
        yield server
