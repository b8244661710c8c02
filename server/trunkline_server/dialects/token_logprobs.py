"""How likely an answer's tokens were, in the form that both of OpenAI's APIs give it."""

from typing import Final, Protocol

from trunkline.v1 import TokenLogprob
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import Json, objects_in, text_in

_MAX_BYTE: Final = 255


class LogprobSink(Protocol):
    """Where log probabilities are put: the `logprobs` of a part or the `top` of a token."""

    def add(self) -> TokenLogprob:
        """A new entry at the end."""
        ...


def fill_logprobs(sink: LogprobSink, raw: list[Json]) -> None:
    """Entries of a list of tokens."""
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
