"""What all items of an answer have in common while they are put together."""

from typing import Protocol

from trunkline_server.dialects.dialect import EventSink
from trunkline_server.dialects.json_values import Json


class Item(Protocol):
    """One item of an answer, as far as it has come. It is found by its place, `output_index`: ids change under way."""

    done: bool
    """It is complete, and its parts have ended."""
    type: str
    """Its type on the wire."""

    def complete(self, item: Json, events: EventSink) -> int:
        """The whole item is told: what of it was not told before is given, and its parts end. Returns how many
        characters of content were new."""
        ...

    def close(self, events: EventSink) -> None:
        """Nothing more of it comes: ends its parts as they are."""
        ...
