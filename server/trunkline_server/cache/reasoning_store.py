"""What models thought before they called tools, kept for clients that do not send it back.

Providers want their models' thinking, or its signature, beside the calls that it led to; clients of the chat API keep
the calls alone. So it is kept here by the calls' ids, which survive every client, and put back where it is missing.
What is kept is of use to its own project only; whether a target may have it is the dialect's to decide.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from trunkline.answer import AnswerBuilder
from trunkline.v1 import (
    CompleteRequest,
    Event,
    Message,
    NoteAction,
    Part,
    Role,
    StateKind,
    StreamCompleteResponse,
    TranslationNote,
)
from trunkline_server.values.principal import Principal

# Neither says what was thought: text goes back as the client has it, arguments too.
_PASSED_OVER: Final = frozenset(("text", "arguments"))
_ENDS: Final = frozenset(("part_done", "choice_finished", "finished", "usage", "heartbeat"))
"""Kinds of events that begin neither thinking nor a call."""
_ENTRY_BYTES: Final = 300
"""What an entry takes beside its own bytes."""

Key = tuple[str, str]
"""A project, and the id of a call."""


class _Entry(NamedTuple):
    turn: bytes
    """The message: its thinking whole, of its other parts only which they are and their state."""
    until: float


class ReasoningStore:
    """Holds at most `max_bytes`, none of it longer than `ttl_s`; what is oldest goes first."""

    def __init__(self, *, max_bytes: int, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self.size_bytes = 0
        """What is held, counted as it is bounded."""

    def __len__(self) -> int:
        return len(self._entries)

    def collector(self, request: CompleteRequest, principal: Principal) -> "Collector | None":
        """Collects the thinking of the answer to `request`; None: the answer cannot call tools."""
        return Collector(self, principal) if request.tools and self._max_bytes else None

    def keep(self, message: Message, principal: Principal) -> None:
        """Keeps the thinking of a message that calls tools, if there is any."""
        first = next((part.tool_call.id for part in message.parts if part.HasField("tool_call")), "")
        if not first or not any(part.HasField("reasoning") or _tells(part) for part in message.parts):
            return
        turn = Message(role=message.role, parts=map(_bare, message.parts)).SerializeToString()
        key = (_project(principal), first)
        self._drop(key)
        if len(turn) + _ENTRY_BYTES > self._max_bytes:
            return
        now = self._clock()
        self._entries[key] = _Entry(turn, now + self._ttl_s)
        self.size_bytes += len(turn) + _ENTRY_BYTES
        while self.size_bytes > self._max_bytes or self._entries[next(iter(self._entries))].until <= now:
            self._drop(next(iter(self._entries)))

    def recall(
        self, request: CompleteRequest, principal: Principal
    ) -> tuple[CompleteRequest, Sequence[TranslationNote]]:
        """The request with what is missing of earlier thinking, and notes on it; the caller's own is not changed."""
        if not self._entries:
            return request, ()
        found = [
            (index, turn)
            for index, message in enumerate(request.messages)
            if message.role == Role.ROLE_ASSISTANT
            and not any(_holds_state(part) for part in message.parts)
            and (turn := self._turn_of(message, principal)) is not None
            and (any(map(_holds_state, turn.parts)) or not any(part.HasField("reasoning") for part in message.parts))
        ]
        if not found:
            return request, ()
        completed = CompleteRequest()
        completed.CopyFrom(request)
        for index, turn in found:
            parts = list(_joined(turn, request.messages[index]))
            del completed.messages[index].parts[:]
            completed.messages[index].parts.extend(parts)
        return completed, [
            TranslationNote(
                field=f"messages[{index}].parts",
                action=NoteAction.NOTE_ACTION_REWRITTEN,
                reason="what the model thought before these calls was missing and is put back",
            )
            for index, _ in found
        ]

    def _turn_of(self, message: Message, principal: Principal) -> Message | None:
        for part in message.parts:
            if part.HasField("tool_call"):
                key = (_project(principal), part.tool_call.id)
                entry = self._entries.get(key)
                if entry is None:
                    return None
                if entry.until <= self._clock():
                    self._drop(key)
                    return None
                return Message.FromString(entry.turn)
        return None

    def _drop(self, key: Key) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self.size_bytes -= len(entry.turn) + _ENTRY_BYTES


class Collector:
    """Follows one answer, and keeps what was thought in it once it has ended well.

    Most answers hold neither thinking nor calls: of those nothing is built.
    """

    __slots__ = ("_builder", "_pending", "_principal", "_store")

    def __init__(self, store: ReasoningStore, principal: Principal) -> None:
        self._store = store
        self._principal = principal
        self._pending: list[Event] = []
        """What has come while there was nothing but words."""
        self._builder: AnswerBuilder | None = None

    def add(self, batch: StreamCompleteResponse) -> None:
        """The next events of the answer."""
        for event in batch.events:
            kind = event.WhichOneof("kind")
            if kind in _PASSED_OVER:
                continue
            if kind == "started":  # what came before is of an attempt that failed
                self._builder = None
                self._pending.clear()
            elif self._builder is not None:
                self._builder.add_event(event)
            elif kind in _ENDS or (kind == "part_started" and event.part_started.HasField("text")):
                self._pending.append(event)
            else:
                self._builder = AnswerBuilder()
                for earlier in self._pending:
                    self._builder.add_event(earlier)
                self._pending.clear()
                self._builder.add_event(event)

    def ended_well(self) -> None:
        """The answer is whole."""
        if self._builder is not None:
            for choice in self._builder.response().choices:
                self._store.keep(choice.message, self._principal)


def _project(principal: Principal) -> str:
    return f"project {principal.project}" if principal.project else f"key {principal.key}"


def _marked(part: Part) -> bool:
    """Whether it carries what only its provider understands."""
    return part.HasField("state") or bool(part.phase)


def _tells(part: Part) -> bool:
    """The same, if it is more than an id, which means nothing without the thinking before it."""
    return bool(part.state.kind or part.state.data or part.phase)


def _holds_state(part: Part) -> bool:
    """Whether the client has sent back more than words."""
    return part.HasField("state") and part.state.kind != StateKind.STATE_KIND_PLAIN_TEXT


def _bare(part: Part) -> Part:
    """What is to be kept of a part."""
    kept = Part.FromString(part.SerializeToString())
    kept.ClearField("logprobs")
    kept.ClearField("citations")
    match kept.WhichOneof("content"):
        case "text":
            kept.text = ""
        case "refusal":
            kept.refusal = ""
        case "tool_call":
            kept.tool_call.ClearField("arguments")
        case _:
            pass
    return kept


def _joined(turn: Message, message: Message) -> Iterator[Part]:
    """The client's message in the order of the turn: its own words and calls, and the thinking that was kept."""
    calls = {part.tool_call.id: part for part in message.parts if part.HasField("tool_call")}
    said = [part for part in message.parts if not part.HasField("tool_call") and not part.HasField("reasoning")]
    for kept in turn.parts:
        match kept.WhichOneof("content"):
            case "tool_call":
                yield from said  # the client has more of them than the turn, or had none in their places
                said = []
                if (call := calls.pop(kept.tool_call.id, None)) is not None:
                    yield _with_marks(call, kept)
            case "text" | "refusal":
                if said:
                    yield _with_marks(said.pop(0), kept)
                elif kept.HasField("state"):
                    yield kept  # a signature on a text that is empty
            case _:
                yield kept
    yield from said
    yield from calls.values()


def _with_marks(part: Part, kept: Part) -> Part:
    """The client's part with what its provider wants to see on it."""
    if not _marked(kept):
        return part
    found = Part.FromString(part.SerializeToString())
    if kept.HasField("state"):
        found.state.CopyFrom(kept.state)
    found.phase = kept.phase
    return found
