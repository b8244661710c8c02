"""Sources that an answer names, as citations of its texts."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import Citation
from trunkline_server.dialects.json_values import MAX_COUNT, Json, count_in, json_text, text_in

# First place and one past the last, by the kind of citation;
# https://platform.claude.com/docs/en/build-with-claude/citations
_PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "char_location": ("start_char_index", "end_char_index"),
    "page_location": ("start_page_number", "end_page_number"),
    "content_block_location": ("start_block_index", "end_block_index"),
    "search_result_location": ("start_block_index", "end_block_index"),
}
_MAX_DOCUMENT: Final = 2**31 - 1


def fill_citation(citation: Citation, raw: Json, provider: str) -> None:
    """One source of a text. It is of the whole text: the provider makes a block of every stretch that has its own."""
    kind = text_in(raw, "type")
    citation.kind = kind
    citation.url = text_in(raw, "url") or _url(text_in(raw, "source"))
    citation.title = text_in(raw, "title") or text_in(raw, "document_title")
    citation.cited_text = text_in(raw, "cited_text")
    citation.file_id = text_in(raw, "file_id")
    document = count_in(raw, "document_index")
    if document is not None and document <= _MAX_DOCUMENT:
        citation.document = document
    if kind in _PLACES:
        start, end = (count_in(raw, name) for name in _PLACES[kind])
        if start is not None and end is not None and end <= MAX_COUNT:
            citation.source_start, citation.source_end = start, end
    citation.provider = provider
    citation.native = json_text(raw)


def _url(source: str) -> str:
    """A search result's source, if it is an address."""
    return source if source.startswith(("https://", "http://")) else ""
