"""What is set in a message: most of its fields are not, and to ask for each by itself takes far longer."""

from collections.abc import Mapping, Sequence
from typing import Any

from trunkline.v1 import CompleteRequest, Message, Part

FieldsSet = Mapping[str, Any]
"""Values by field. Those that are empty are not in it, nor zeros of fields for which unset and zero are the same."""


def fields_set(request: CompleteRequest) -> FieldsSet:
    """All fields of a request that are set."""
    return {field.name: value for field, value in request.ListFields()}


def is_plain(part: Part) -> bool:
    """Whether nothing is set but the content itself."""
    return len(part.ListFields()) == 1


def mere_text(part: Part) -> str | None:
    """The text of a part that is nothing else, as nearly all are; None: it has more to it, or is no text."""
    if not part.HasField("text"):
        return None
    fields = part.ListFields()
    if len(fields) > 1:
        return None
    text: str = fields[0][1]
    return text


def mere_message(message: Message) -> str | None:
    """The text of a message that is a role and one text and nothing else; None: it has more to it, or less."""
    fields = message.ListFields()
    if len(fields) != 2 or fields[1][0].name != "parts":
        return None
    return only_text(fields[1][1])


def only_text(parts: Sequence[Part]) -> str | None:
    """What parts say that are one text and no more, as of nearly all messages; None: there is more, or less."""
    return mere_text(parts[0]) if len(parts) == 1 else None
