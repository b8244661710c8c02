"""OpenRouter's reasoning_details: entries that must come back as they were, put together from the deltas of a stream."""

from typing import Final

from trunkline_server.dialects.json_values import Json, json_text, text_in

MEMBER: Final = "reasoning_details"

# What an entry says for people to read, by its type. An encrypted one says nothing.
_WORDS: Final = {"reasoning.text": "text", "reasoning.summary": "summary"}


class ReasoningDetails:
    """The entries of one choice, each with the number of the part that it is."""

    __slots__ = ("_last", "_whole", "by_part")

    def __init__(self, *, whole: bool) -> None:
        self.by_part: dict[int, Json] = {}
        self._whole = whole
        self._last = -1

    def part_of(self, entry: Json) -> int | None:
        """The part whose entry this one goes on with; None if it begins another.

        Only words come in pieces: each with the type and index of the one before, and with its id or none.
        """
        last = self.by_part.get(self._last)
        if self._whole or last is None or text_in(entry, "type") not in _WORDS:
            return None
        if any(entry.get(name) != last.get(name) for name in ("type", "index")):
            return None
        entry_id, last_id = text_in(entry, "id"), text_in(last, "id")
        return None if entry_id and last_id and entry_id != last_id else self._last

    def begin(self, part: int, entry: Json) -> None:
        """A new entry. Raises MalformedFrameError if it could not be sent back."""
        json_text(entry)
        self.by_part[part] = dict(entry)
        self._last = part

    def go_on(self, part: int, entry: Json) -> None:
        """A further piece of an entry: words are appended, of anything else the last one counts."""
        json_text(entry)
        held, words = self.by_part[part], _WORDS[entry["type"]]
        for name, value in entry.items():
            if name == words:
                held[name] = text_in(held, name) + text_in(entry, name)
            elif value is not None:
                held[name] = value


def said_in(entry: Json) -> str:
    """The words in this entry or piece of one."""
    words = _WORDS.get(text_in(entry, "type"))
    return text_in(entry, words) if words else ""
