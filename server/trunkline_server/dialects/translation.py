"""What one translation of a request works with: the target, and the notes on what it cannot carry."""

from collections.abc import Mapping
from typing import Final

from trunkline.errors import LossyTranslationError, UnsupportedByModelError
from trunkline.v1 import FieldViolation, NoteAction, TranslationNote
from trunkline_server.dialects.dialect import NeedsBytesError
from trunkline_server.providers.target import Target

MAX_SENT_CHARS: Final = 64
NO_SUCH_PARAMETER: Final = "the provider has no such parameter"
FOREIGN: Final = "it is for another dialect or kind of provider"


class Translation:
    """Collects notes while a request is being encoded for one target."""

    __slots__ = ("_lossy", "notes", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.notes: list[TranslationNote] = []
        """What the translation could not carry as it was."""
        self._lossy: list[TranslationNote] = []

    def drop(self, field: str, reason: str = NO_SUCH_PARAMETER) -> None:
        """The field is left out."""
        self._lossy.append(self._note(field, NoteAction.NOTE_ACTION_DROPPED, reason, ""))

    def emulate(self, field: str, reason: str, sent: str = "") -> None:
        """The field's meaning is brought about by other means."""
        self._lossy.append(self._note(field, NoteAction.NOTE_ACTION_EMULATED, reason, sent))

    def rewrite(self, field: str, reason: str, sent: str = "") -> None:
        """The field is sent in another form with the same meaning, as nearly as matters."""
        self._note(field, NoteAction.NOTE_ACTION_REWRITTEN, reason, sent)

    def word(self, words: Mapping[int, str], value: int, field: str) -> str:
        """The wire's word for an enum value; empty if it is unspecified, or newer than this gateway, which is noted."""
        found = words.get(value, "")
        if value and not found:
            self.drop(field, f"the value {value} is not known")
        return found

    def refusal(self, field: str, reason: str) -> UnsupportedByModelError:
        """The error to raise where leaving the field out would change what is asked."""
        error = UnsupportedByModelError.at_field(field, reason)
        error.target = self.target.name
        return error

    def needs_bytes(self, field: str) -> NeedsBytesError:
        """The error to raise where the address of something is given, and the target does not fetch it."""
        error = NeedsBytesError.at_field(
            field, "the provider does not fetch from this address: send the bytes, or let the gateway (media.fetch)"
        )
        error.target = self.target.name
        return error

    def check_strict(self) -> None:
        """Raises LossyTranslationError if anything was left out or emulated."""
        if not self._lossy:
            return
        fields = ", ".join(note.field for note in self._lossy)
        raise LossyTranslationError(
            f"strict was asked for, and {self.target.name} cannot take as they are: {fields}",
            violations=[FieldViolation(field=note.field, description=note.reason) for note in self._lossy],
            target=self.target.name,
        )

    def _note(self, field: str, action: "NoteAction.ValueType", reason: str, sent: str) -> TranslationNote:
        note = TranslationNote(field=field, action=action, reason=reason, sent=sent[:MAX_SENT_CHARS])
        self.notes.append(note)
        return note
