"""How many tokens were probably used, where the provider never said."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from trunkline.v1 import CompleteRequest, Event, Part, Usage

# English text and code run at about four characters a token in today's vocabularies, other scripts at fewer. It is a
# rule of thumb (https://platform.openai.com/tokenizer says the same), which is why the figure is marked estimated.
CHARS_PER_TOKEN: Final = 4
TOKENS_PER_MESSAGE: Final = 4
"""What roles and separators cost in chat templates, about."""
# More than this is not split into tokens, which would hold up everybody else: its rest is taken to be alike.
SAMPLE_CHARS: Final = 100_000

_TEXTS: Final = frozenset(("text", "reasoning", "arguments", "refusal"))


class TokenEstimator:
    """Counts by a vocabulary if there is one, else by the number of characters."""

    __slots__ = ("_count",)

    def __init__(self, count: Callable[[str], int] | None = None) -> None:
        """`count` says how many tokens a text is."""
        self._count = count

    @property
    def reads(self) -> bool:
        """Whether it wants to see the answer, and not only how long it is."""
        return self._count is not None

    def input_tokens(self, request: CompleteRequest) -> int:
        """Tokens of what is asked, tools included; media are not counted, since no rule of thumb fits them."""
        return max(1, self._tokens(_texts_of(request)) + TOKENS_PER_MESSAGE * len(request.messages))

    def usage(self, request: CompleteRequest, content_chars: int, events: Iterable[Event] = ()) -> Usage:
        """Usage of an answer that was cut off, was cancelled or came without any; input is at least one token.

        `events` are the answer's, for an estimator that `reads`; another goes by `content_chars`.
        """
        output_tokens = self._tokens(_pieces_in(events)) if self.reads else tokens_of(content_chars)
        return Usage(input_tokens=self.input_tokens(request), output_tokens=output_tokens, estimated=True)

    def _tokens(self, texts: Iterable[str]) -> int:
        if self._count is None:
            return tokens_of(sum(map(len, texts)))
        text = "".join(texts)
        if len(text) <= SAMPLE_CHARS:
            return self._count(text)
        return round(self._count(text[:SAMPLE_CHARS]) * len(text) / SAMPLE_CHARS)


def tokens_of(chars: int) -> int:
    """How many tokens so many characters are, about."""
    return -(-chars // CHARS_PER_TOKEN)


def _texts_of(request: CompleteRequest) -> Iterator[str]:
    for message in request.messages:
        for part in message.parts:
            yield from _texts_in(part)
    for tool in request.tools:
        yield from (tool.name, tool.description, tool.parameters)


def _texts_in(part: Part) -> Iterator[str]:
    match part.WhichOneof("content"):
        case "text" | "refusal" | "json" as kind:
            yield getattr(part, kind)
        case "reasoning":
            yield part.reasoning.text
        case "tool_call":
            yield from (part.tool_call.name, part.tool_call.arguments)
        case "tool_result":
            for inner in part.tool_result.parts:
                yield from _texts_in(inner)
        case _:
            pass


def _pieces_in(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        kind = event.WhichOneof("kind")
        if kind in _TEXTS:
            yield getattr(event, kind)
        elif kind == "part_started":
            yield from _texts_in(event.part_started)
