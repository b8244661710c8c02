"""How likely the tokens of an answer were."""

from typing import Protocol

from trunkline.v1 import TokenLogprob
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import Json, count_in, objects_in, text_in


class LogprobSink(Protocol):
    """Where log probabilities are put: the `logprobs` of a part or the `top` of a token."""

    def add(self) -> TokenLogprob:
        """A new entry at the end."""
        ...


def fill_logprobs(sink: LogprobSink, raw: Json) -> None:
    """A `logprobsResult`: the tokens chosen and, beside each, the likeliest ones."""
    tops = objects_in(raw, "topCandidates")
    for at, chosen in enumerate(objects_in(raw, "chosenCandidates")):
        token = sink.add()
        _fill_token(token, chosen)
        for alternative in objects_in(tops[at], "candidates") if at < len(tops) else ():
            _fill_token(token.top.add(), alternative)


def _fill_token(token: TokenLogprob, raw: Json) -> None:
    token.token = text_in(raw, "token")
    value = raw.get("logProbability", 0.0)  # proto3 leaves a zero out
    if type(value) not in (int, float):
        raise MalformedFrameError("logProbability is not a number")
    token.logprob = value
    if (number := count_in(raw, "tokenId")) is not None and number < 2**31:
        token.token_id = number
