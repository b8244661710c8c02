"""The sources that an answer names for its text."""

from typing import Final

from trunkline.v1 import Citation
from trunkline_server.dialects.json_values import Json, json_text, object_in, text_in

_URL_CITATION: Final = "url_citation"
_URL_CITATION_MEMBERS: Final = frozenset({"url", "title", "start_index", "end_index"})
_MAX_INDEX: Final = 2**31 - 1


def fill_citation(citation: Citation, raw: Json, provider: str) -> None:
    """One entry of `annotations`. What is more than the address, title and place is kept as the vendor wrote it."""
    kind = text_in(raw, "type") or _URL_CITATION
    citation.kind = kind
    if kind == _URL_CITATION:
        source = object_in(raw, kind)
        citation.url = text_in(source, "url")
        citation.title = text_in(source, "title")
        citation.cited_text = text_in(source, "content")
        start, end = source.get("start_index"), source.get("end_index")
        # OpenRouter gives 0 and 0 where it does not know which words rest on the source.
        if type(start) is int and type(end) is int and 0 <= start < end <= _MAX_INDEX:
            citation.start, citation.end = start, end
        if source.keys() <= _URL_CITATION_MEMBERS and len(raw) <= len(("type", kind)):
            return
    citation.provider = provider
    citation.native = json_text(raw)
