"""What an answer says about its own text: sources, and how likely its tokens were."""

from typing import Final, Protocol

from trunkline.v1 import Citation, TokenLogprob
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import Json, json_text, object_in, objects_in, text_in

_URL_CITATION: Final = "url_citation"
_URL_CITATION_MEMBERS: Final = frozenset({"url", "title", "start_index", "end_index"})
_MAX_INDEX: Final = 2**31 - 1
_MAX_BYTE: Final = 255


class LogprobSink(Protocol):
    """Where log probabilities are put: the `logprobs` of a part or the `top` of a token."""

    def add(self) -> TokenLogprob:
        """A new entry at the end."""
        ...


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


def fill_logprobs(sink: LogprobSink, raw: list[Json]) -> None:
    """Entries of `logprobs.content` or `logprobs.refusal`."""
    for item in raw:
        token = sink.add()
        _fill_token(token, item)
        for alternative in objects_in(item, "top_logprobs"):
            _fill_token(token.top.add(), alternative)


def _fill_token(token: TokenLogprob, raw: Json) -> None:
    token.token = text_in(raw, "token")
    value = raw.get("logprob")
    if not isinstance(value, float | int):
        raise MalformedFrameError("logprob is not a number")
    token.logprob = value
    utf8 = raw.get("bytes")
    if type(utf8) is list and all(type(byte) is int and 0 <= byte <= _MAX_BYTE for byte in utf8):
        token.utf8 = bytes(utf8)
