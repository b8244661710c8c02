"""How an answer goes on that its provider paused: the provider gets back what it gave, and says what follows.

A provider that runs tools itself may stop in the middle of a turn, such as Anthropic after some searches
(`pause_turn`): https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
"""

from typing import Final

from trunkline.answer import AnswerBuilder
from trunkline.v1 import CompleteRequest, NoteAction, Role, StreamCompleteResponse, TranslationNote

MAX_PAUSES: Final = 5
"""An answer that pauses more often is given as far as it came, with the pause for its end."""

_NOTE: Final = TranslationNote(
    field="messages",
    action=NoteAction.NOTE_ACTION_REWRITTEN,
    reason="the provider paused: what it gave goes back to it, to be gone on with",
)
_PARTLESS: Final = frozenset({"usage", "heartbeat", "choice_finished", "finished", "preview"})


class Pauses:
    """One answer that may pause; joins its pieces as the caller sees them, as one."""

    __slots__ = ("_asked", "_first_part", "_given", "_parts", "count", "notes", "request")

    def __init__(self, request: CompleteRequest) -> None:
        self._asked = request
        self.request = request
        """What to ask next."""
        self.notes: tuple[TranslationNote, ...] = ()
        """What was changed of the request to make that one."""
        self.count = 0
        """How often it has paused."""
        self._given = AnswerBuilder()
        self._first_part = 0
        """How many parts were given before the last pause."""
        self._parts = 0

    @property
    def may_pause(self) -> bool:
        """Whether it is gone on with if it pauses now."""
        return self.count < MAX_PAUSES

    def join(self, batch: StreamCompleteResponse) -> StreamCompleteResponse | None:
        """The batch as it follows on what came before; None: there is nothing in it. Its events are changed in place."""
        self._given.add(batch)
        if self.count and batch.events and batch.events[0].HasField("started"):
            del batch.events[0]
        for event in batch.events:
            kind = event.WhichOneof("kind")
            if kind == "part_started":
                self._parts += 1
            if kind not in _PARTLESS:
                event.part += self._first_part
        return batch if batch.events else None

    def paused(self) -> None:
        """It has paused: what it gave is added to what is asked."""
        request = CompleteRequest()
        request.CopyFrom(self.request)
        for choice in self._given.response().choices:
            request.messages.add(role=Role.ROLE_ASSISTANT).parts.extend(choice.message.parts)
        self.request, self.notes = request, (_NOTE,)
        self.count += 1
        self._given = AnswerBuilder()
        self._first_part = self._parts

    def forget(self) -> None:
        """What was given is void: the answer begins anew."""
        self.request, self.notes = self._asked, ()
        self._given = AnswerBuilder()
        self.count = self._first_part = self._parts = 0


def pauses_of(request: CompleteRequest) -> Pauses | None:
    """For requests whose answers may pause: those that offer a provider's own tools. Others keep nothing."""
    if request.extensions or any(tool.HasField("server") for tool in request.tools):
        return Pauses(request)
    return None
