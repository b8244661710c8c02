"""What goes to a provider and what comes back, as a dialect and a transport hand it to each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trunkline.v1 import TranslationNote


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One HTTP request to a provider, all but its address and credentials, which are the provider's own."""

    path: str
    """Appended to the provider's base URL, such as "/chat/completions"."""
    body: bytes
    """The JSON body as it is sent."""
    stream: bool
    """Whether the answer is asked for as a stream."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that the dialect needs, beside content type and authorization."""
    notes: Sequence[TranslationNote] = ()
    """What the translation could not carry as it was."""


class SseFrame(NamedTuple):
    """One dispatched event of a text/event-stream."""

    event: str
    """Its type; empty where the stream gave none."""
    data: bytes
    """Its data, the lines joined by a line feed."""
