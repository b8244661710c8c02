"""What an answer of Gemini's generateContent says, read without a line of the gateway's code.

Made for comparing: two answers that say the same are equal, whoever spelled them and whether they were streamed.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wire_answer import read_chunks

Json = dict[str, Any]

# Words for an end, as OpenAI's; of others Gemini's own counts. Numbers are those of the enum, which proxies send.
FINISHES: Mapping[object, str] = {
    "STOP": "stop",
    1: "stop",
    "MAX_TOKENS": "length",
    2: "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "MODEL_ARMOR": "content_filter",
}
# Where an end stands that is none.
FAULTS = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"})
CONTENTS = ("inlineData", "fileData", "executableCode", "codeExecutionResult", "toolCall", "toolResponse")


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidCandidate:
    """One candidate."""

    text: str
    reasoning: str
    calls: tuple[tuple[str, str], ...]
    """Name and arguments, as JSON with sorted keys."""
    others: tuple[str, ...]
    """Its other parts as JSON with sorted keys, in order, without signatures."""
    signatures: tuple[bytes, ...]
    """In the order of the parts that carry them."""
    finish: str
    sources: frozenset[str]
    """Addresses that it rests on."""
    tokens: tuple[tuple[str, float], ...]
    """Its text's tokens and their log probabilities."""


def sorted_json(value: object) -> str:
    """One spelling for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def read_bodies(body: bytes, *, stream: bool) -> list[Json]:
    """The answers that a body consists of: one, or the chunks of a stream, which may come as an array."""
    if stream:
        return read_chunks(body)
    value = json.loads(body)
    return value if isinstance(value, list) else [value]


def error_in(body: bytes, *, stream: bool) -> Json | None:
    """The failure that an answer tells of, by an error or by a fault where its end should be."""
    for chunk in read_bodies(body, stream=stream):
        if error := chunk.get("error"):
            return dict(error)
        for candidate in chunk.get("candidates", ()):
            if candidate.get("finishReason") in FAULTS:
                return {"code": 200, "status": candidate["finishReason"]}
    return None


def read_candidates(chunks: Sequence[Json]) -> tuple[SaidCandidate, ...]:
    """What the candidates of an answer say."""
    pieces: dict[int, list[Json]] = {}
    for chunk in chunks:
        for candidate in chunk.get("candidates", ()):
            pieces.setdefault(candidate.get("index", 0), []).append(candidate)
    return tuple(_candidate(pieces[index]) for index in sorted(pieces))


def parts_of(pieces: Iterable[Json]) -> Iterator[Json]:
    """All parts of a candidate in order."""
    for piece in pieces:
        yield from piece.get("content", {}).get("parts", ())


def last_usage(chunks: Iterable[Json]) -> Json | None:
    """The counts that hold, which are the last."""
    return next((chunk["usageMetadata"] for chunk in reversed(list(chunks)) if chunk.get("usageMetadata")), None)


def merged(parts: Iterable[Json]) -> list[Json]:
    """Parts as they mean the same: unsigned neighbours of plain text or thought joined, empty ones left out."""
    found: list[Json] = []
    for part in parts:
        plain = part.keys() <= {"text", "thought"}
        if plain and not part.get("text"):
            continue
        before = found[-1] if found else {}
        if plain and "text" in before and before.keys() == part.keys():
            found[-1] = {**before, "text": before["text"] + part["text"]}
        else:
            found.append(dict(part))
    return found


def _candidate(pieces: list[Json]) -> SaidCandidate:
    parts = list(parts_of(pieces))
    calls = tuple(
        (part["functionCall"]["name"], sorted_json(part["functionCall"].get("args", {})))
        for part in parts
        if "functionCall" in part
    )
    native = next((piece["finishReason"] for piece in reversed(pieces) if piece.get("finishReason")), "")
    finish = FINISHES.get(native, str(native))
    return SaidCandidate(
        text="".join(part.get("text", "") for part in parts if not part.get("thought")),
        reasoning="".join(part.get("text", "") for part in parts if part.get("thought")),
        calls=calls,
        others=tuple(
            sorted_json({name: value for name, value in part.items() if name != "thoughtSignature"})
            for part in parts
            if not part.keys().isdisjoint(CONTENTS)
        ),
        signatures=tuple(
            base64.urlsafe_b64decode(part["thoughtSignature"].translate(str.maketrans("+/", "-_")) + "==")
            for part in parts
            if "thoughtSignature" in part
        ),
        finish="tool_calls" if calls and finish == "stop" else finish,
        sources=frozenset(
            source["uri"]
            for piece in pieces
            for chunk in _cited(piece.get("groundingMetadata", {}))
            for source in chunk.values()
            if "uri" in source
        ),
        tokens=tuple(
            (token["token"], token.get("logProbability", 0.0))
            for piece in pieces
            for token in piece.get("logprobsResult", {}).get("chosenCandidates", ())
        ),
    )


def _cited(metadata: Json) -> list[Json]:
    """The sources that some stretch of text rests on; all, where no stretch is told."""
    chunks: list[Json] = metadata.get("groundingChunks", [])
    supports = metadata.get("groundingSupports", [])
    cited = {index for support in supports for index in support.get("groundingChunkIndices", ())}
    return [chunk for index, chunk in enumerate(chunks) if index in cited] if supports else chunks
