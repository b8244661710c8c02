"""What an answer rests on: grounding and citations, as citations of the texts that they are of."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from trunkline.v1 import Citation
from trunkline_server.dialects.json_values import Json, count_in, object_in, objects_in, text_in

# Where a chunk's address, title and words stand, by its kind; https://ai.google.dev/api/generate-content#GroundingChunk
_URL_NAMES: Final = ("uri", "sourceUri")
_RECITED: Final = "citation"


class CitationSink(Protocol):
    """Where the citations of one part are put."""

    def add(self) -> Citation:
        """A new one at the end."""
        ...


class SinkOf(Protocol):
    """Finds the place for citations of a part."""

    def __call__(self, part: int) -> CitationSink:
        """By the part's number within the choice."""
        ...


def cite_grounding(metadata: Json, texts: Mapping[int, str], sink_of: SinkOf) -> None:
    """One citation for each source of each stretch of text; the sources alone where no stretch is told.

    `texts` are the choice's texts by the numbers of their parts, in order.
    """
    chunks = objects_in(metadata, "groundingChunks")
    if not texts or not chunks:
        return
    supports = objects_in(metadata, "groundingSupports")
    for support in supports:
        place = _place(object_in(support, "segment"), texts)
        for index in _indices(support, len(chunks)):
            _fill(sink_of(place[0]).add(), chunks[index], place)
    if not supports:
        last = max(texts)
        for chunk in chunks:
            _fill(sink_of(last).add(), chunk, (last, None, None))


def cite_recited(metadata: Json, texts: Mapping[int, str], sink_of: SinkOf) -> None:
    """What the answer repeats of the works of others (`citationMetadata`)."""
    sources = objects_in(metadata, "citations") or objects_in(metadata, "citationSources")
    if not texts:
        return
    for source in sources:
        part, start, end = _place(source, texts)
        citation = sink_of(part).add()
        citation.kind = _RECITED
        citation.url, citation.title = text_in(source, "uri"), text_in(source, "title")
        _put_place(citation, start, end)


def join_recited(held: Json, more: Json) -> Json:
    """What one chunk of a stream says of recited works, with what another one adds."""
    joined = {**held, **more}
    for name, entries in held.items():
        if type(entries) is list and type(added := more.get(name)) is list:
            joined[name] = entries + [entry for entry in added if entry not in entries]
    return joined


Place = tuple[int, int | None, int | None]
"""The part, and first and one past the last character in it; None: all of it."""


def _indices(support: Json, chunks: int) -> Sequence[int]:
    indices = support.get("groundingChunkIndices")
    if type(indices) is not list:
        return ()
    return [index for index in indices if type(index) is int and 0 <= index < chunks]


def _fill(citation: Citation, chunk: Json, place: Place) -> None:
    kind = next(iter(chunk), "")
    source = object_in(chunk, kind) if kind else {}
    citation.kind = kind
    citation.url = next((url for name in _URL_NAMES if (url := text_in(source, name))), "")
    citation.title = text_in(source, "title")
    citation.cited_text = text_in(source, "text")
    _put_place(citation, place[1], place[2])


def _put_place(citation: Citation, start: int | None, end: int | None) -> None:
    if start is not None and end is not None:
        citation.start, citation.end = start, end


def _place(segment: Json, texts: Mapping[int, str]) -> Place:
    """Where a stretch lies. Its ends are counted in bytes of UTF-8: of the part that it names, else of all the text;
    words that it repeats decide, because not all models count alike.
    """
    start, end = count_in(segment, "startIndex") or 0, count_in(segment, "endIndex") or 0
    words = text_in(segment, "text")
    named = count_in(segment, "partIndex")
    offset = 0
    for part, text in texts.items():
        raw = text.encode()
        first, last = (start, end) if part == named else (start - offset, end - offset)
        if 0 <= first < last <= len(raw) and (not words or raw[first:last] == words.encode()):
            before = len(raw[:first].decode("utf-8", "ignore"))
            return part, before, before + len(raw[first:last].decode("utf-8", "ignore"))
        offset += len(raw)
    if words:
        for part, text in texts.items():
            if (at := text.find(words)) >= 0:
                return part, at, at + len(words)
    return max(texts), None, None
