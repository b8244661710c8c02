"""The sources that an answer names for its text."""

from typing import Final

from trunkline.v1 import Citation
from trunkline_server.dialects.json_values import Json, json_text, text_in

_URL_CITATION: Final = "url_citation"
_URL_CITATION_MEMBERS: Final = frozenset({"type", "url", "title", "start_index", "end_index"})
_MAX_INDEX: Final = 2**31 - 1


def fill_citation(citation: Citation, raw: Json, provider: str) -> None:
    """One entry of `annotations`. What is more than the address, title and place is kept as the vendor wrote it."""
    citation.kind = text_in(raw, "type") or _URL_CITATION
    citation.url, citation.title = text_in(raw, "url"), text_in(raw, "title") or text_in(raw, "filename")
    citation.file_id = text_in(raw, "file_id")
    start, end = raw.get("start_index"), raw.get("end_index")
    if type(start) is int and type(end) is int and 0 <= start <= end <= _MAX_INDEX:
        citation.start, citation.end = start, end
        if citation.kind == _URL_CITATION and raw.keys() <= _URL_CITATION_MEMBERS:
            return
    citation.provider = provider
    citation.native = json_text(raw)
