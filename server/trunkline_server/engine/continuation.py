"""How another target goes on with an answer that broke off: what it is asked, and how its events join the earlier ones."""

import json
from collections.abc import MutableMapping
from typing import Final, Literal

from trunkline.errors import ProviderBadAnswerError
from trunkline.v1 import (
    CompleteRequest,
    Event,
    Failure,
    NoteAction,
    ResumedEvent,
    Role,
    StreamCompleteResponse,
    TranslationNote,
)
from trunkline_server.engine.delivered import Delivered
from trunkline_server.engine.estimate import tokens_of
from trunkline_server.providers.target import Target

Mode = Literal["prefill", "restart"]

_SILENT: Final = frozenset({"usage", "heartbeat"})


class DifferentAnswerError(ProviderBadAnswerError):
    """A target that was asked afresh did not begin with what the caller had been given."""


class Continuation:
    """One target's attempt to go on with an answer.

    By `prefill` it is given the text so far and writes what follows. By `restart` it is asked afresh; its text must
    begin with exactly what was given, which is checked piece by piece and not given again. Never is anything given
    that does not follow from what was given before.
    """

    def __init__(
        self, request: CompleteRequest, delivered: Delivered, target: Target, *, cause: Failure, mode: Mode
    ) -> None:
        """`request` is what the caller asked for; `cause` is why the attempt before broke off."""
        self.mode: Mode = mode
        self._target = target
        text = delivered.text()
        self.notes: list[TranslationNote] = []
        """What was changed of the request."""
        self.request = self._prefilled(request, text) if mode == "prefill" else request
        """What to send to the target."""
        self._resumed: ResumedEvent | None = ResumedEvent(target=target.name, cause=cause)
        self._open_part = delivered.open_part
        self._next_part = delivered.parts
        self._parts: dict[int, int] = {}
        """The target's indexes of parts, and those that the caller sees."""
        self._joined: int | None = None
        """The target's index of the part whose text follows on what was given."""
        self._expected = text if mode == "restart" else ""
        """What its text must still begin with, before anything of it is given."""
        self._held: list[Event] = []
        """Events that wait until that has come."""

    def adapt(self, batch: StreamCompleteResponse) -> StreamCompleteResponse | None:
        """The same events as the caller may see them, not yet numbered; None: nothing of it is for the caller.

        Raises DifferentAnswerError if the target's answer begins differently from what was given.
        """
        found = StreamCompleteResponse()
        for event in batch.events:
            self._adapt(event, found)
        return found if found.events else None

    def _adapt(self, event: Event, found: StreamCompleteResponse) -> None:
        kind = event.WhichOneof("kind")
        match kind:
            case "started":
                if self._resumed is not None:
                    self._resumed.model = event.started.model
                    self._begin(found)
            case "part_started" if self._joins(event):
                self._joined = event.part
                self._text(event.part_started.text, found)
            case "text" if event.part == self._joined:
                self._text(event.text, found)
            case "part_done" if event.part == self._joined and self._expected:
                raise self._differs()
            case "choice_finished" | "finished":
                if self._expected:
                    raise self._differs()
                if self._open_part is not None:
                    # The target had nothing to add to the part that was open.
                    found.events.add(choice=0, part=self._open_part).part_done.SetInParent()
                    self._open_part = None
                found.events.add().CopyFrom(event)
            case _ if self._expected and kind not in _SILENT:
                held = Event()
                held.CopyFrom(event)
                self._held.append(held)
            case _:
                self._give(event, found)

    def _joins(self, event: Event) -> bool:
        """Whether the first part of text begins: it follows on what was given."""
        return self._joined is None and event.choice == 0 and event.part_started.WhichOneof("content") == "text"

    def _begin(self, found: StreamCompleteResponse) -> None:
        """Tells the caller that another target goes on, once that is certain."""
        if self._resumed is not None and not self._expected:
            found.events.add().resumed.CopyFrom(self._resumed)
            self._resumed = None

    def _text(self, text: str, found: StreamCompleteResponse) -> None:
        expected = self._expected
        if expected:
            given = min(len(text), len(expected))
            if text[:given] != expected[:given]:
                raise self._differs()
            self._expected, text = expected[given:], text[given:]
            if self._expected:
                return
            self._begin(found)
            for event in self._held:
                self._give(event, found)
            self._held.clear()
        if text:
            found.events.add(part=self._joined_part(found), text=text)

    def _joined_part(self, found: StreamCompleteResponse) -> int:
        """The part that the text goes to: the one that was open, else a new one."""
        joined = self._joined if self._joined is not None else 0
        part = self._parts.get(joined)
        if part is None:
            if self._open_part is not None:
                part, self._open_part = self._open_part, None
            else:
                part = self._new_part()
                found.events.add(part=part).part_started.text = ""
            self._parts[joined] = part
        return part

    def _new_part(self) -> int:
        self._next_part += 1
        return self._next_part - 1

    def _give(self, event: Event, found: StreamCompleteResponse) -> None:
        kind = event.WhichOneof("kind")
        if kind == "part_done" and event.part == self._joined and event.part not in self._parts:
            # It held no more text than was given: what was open is what ends.
            self._joined_part(found)
        given = found.events.add()
        given.CopyFrom(event)
        if kind not in _PARTLESS:
            if event.part not in self._parts:
                self._parts[event.part] = self._new_part()
            given.part = self._parts[event.part]

    def _prefilled(self, request: CompleteRequest, text: str) -> CompleteRequest:
        found = CompleteRequest()
        found.CopyFrom(request)
        last = found.messages[-1] if found.messages else None
        if last is None or last.role != Role.ROLE_ASSISTANT:
            last = found.messages.add(role=Role.ROLE_ASSISTANT)
        last.parts.add(text=text)
        prefill = self._target.provider.kind.prefill
        if prefill is not None:
            _extend(found.extensions, self._target, prefill.body)
            _extend(last.extensions, self._target, prefill.message)
        if found.HasField("max_output_tokens"):
            found.max_output_tokens = max(1, found.max_output_tokens - tokens_of(len(text)))
            self.notes.append(
                TranslationNote(
                    field="max_output_tokens",
                    action=NoteAction.NOTE_ACTION_REWRITTEN,
                    reason="lowered by what was given before the answer broke off, as estimated",
                    sent=str(found.max_output_tokens),
                )
            )
        return found

    def _differs(self) -> DifferentAnswerError:
        return DifferentAnswerError(
            f"the answer broke off, and {self._target.name}, asked afresh, answered differently from what had been "
            "given; send the request again",
            target=self._target.name,
        )


_PARTLESS: Final = frozenset(
    {"started", "usage", "heartbeat", "resumed", "choice_finished", "finished", "failed", "preview"}
)


def _extend(extensions: MutableMapping[str, str], target: Target, members: str) -> None:
    """Adds what this kind of provider wants to hear; what the caller says itself in an extension wins."""
    if members:
        said = extensions.get(target.dialect, "")
        extensions[target.dialect] = json.dumps({**json.loads(members), **json.loads(said)}) if said else members
