"""The one fold that makes a whole answer of its events, by the rule in protos/trunkline/v1/event.proto."""

from collections.abc import Iterable
from typing import Protocol

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from trunkline.v1 import Choice, CompleteResponse, Event, Part, Role

_ASSISTANT = Role.ROLE_ASSISTANT


class Batch(Protocol):
    """Events that came together: StreamCompleteResponse, or RequestEvents of a session."""

    @property
    def events(self) -> RepeatedCompositeFieldContainer[Event]:
        """Oldest first."""
        ...


class AnswerBuilder:
    """Takes the events of one answer in order and gives the CompleteResponse they amount to.

    Used by the engine for unary calls and by clients that stream and want the whole as well.
    """

    def __init__(self) -> None:
        self._response = CompleteResponse()
        self._choices: dict[int, Choice] = {}
        # Pieces wait here by part and kind, because appending to a protobuf string copies it each time.
        self._pieces: dict[tuple[int, int], dict[str, list[str]]] = {}
        self._media: dict[tuple[int, int], list[bytes]] = {}

    def add(self, batch: Batch) -> None:
        """The next message of the stream."""
        for event in batch.events:
            self.add_event(event)

    def add_event(self, event: Event) -> None:
        """The next event alone, where events do not come in messages."""
        kind = event.WhichOneof("kind")
        match kind:
            case "text" | "reasoning" | "arguments" | "refusal":
                key = (event.choice, event.part)
                self._pieces.setdefault(key, {}).setdefault(kind, []).append(getattr(event, kind))
            case "media":
                self._media.setdefault((event.choice, event.part), []).append(event.media)
            case "part_started" | "part_update" | "part_done":
                known: Part = getattr(event, kind)
                part = self._part(event.choice, event.part)
                if (self._pieces or self._media) and known.WhichOneof("content") is not None:
                    # What is merged may replace what came before, so that must be in its place.
                    self._flush(event.choice, event.part, part)
                part.MergeFrom(known)
            case "summary":
                summary = self._part(event.choice, event.part).reasoning.summary
                while len(summary) <= event.summary.paragraph:
                    summary.append("")
                summary[event.summary.paragraph] += event.summary.text
            case "started":
                started = event.started
                self._response.id = started.id
                self._response.model = started.model
                self._response.provider_response_id = started.provider_response_id
                self._response.created_at_ms = started.created_at_ms
            case "choice_finished":
                finished, choice = event.choice_finished, self._choice(event.choice)
                choice.finish_reason = finished.finish_reason
                choice.native_finish_reason = finished.native_finish_reason
                if finished.stop_sequence:
                    choice.stop_sequence = finished.stop_sequence
                if finished.finish_detail:
                    choice.finish_detail = finished.finish_detail
                if finished.message_provider_id:
                    choice.message.provider_id = finished.message_provider_id
                if finished.extensions:
                    choice.extensions.MergeFrom(finished.extensions)
            case "finished":
                self._finish(event)
            case _:
                # heartbeat, usage, resumed, preview and failed leave no trace in the answer.
                pass

    def response(self) -> CompleteResponse:
        """The whole answer; call it once, after `finished`."""
        for choice, index in [*self._pieces, *self._media]:
            self._flush(choice, index, self._part(choice, index))
        if list(self._choices) != sorted(self._choices):
            self._response.choices.sort(key=lambda choice: choice.index)
        return self._response

    def _flush(self, choice: int, index: int, part: Part) -> None:
        """Appends the pieces that wait for a part."""
        for kind, pieces in self._pieces.pop((choice, index), {}).items():
            _append(part, kind, "".join(pieces))
        if chunks := self._media.pop((choice, index), None):
            media = part.image.media if part.HasField("image") else part.audio.media
            media.data += b"".join(chunks)

    def _choice(self, index: int) -> Choice:
        choice = self._choices.get(index)
        if choice is None:
            # In its place from the start, since putting it there later would copy it.
            choice = self._choices[index] = self._response.choices.add()
            choice.index = index
            choice.message.role = _ASSISTANT
        return choice

    def _part(self, choice: int, index: int) -> Part:
        parts = self._choice(choice).message.parts
        while len(parts) <= index:
            parts.add()
        return parts[index]

    def _finish(self, event: Event) -> None:
        finished, response = event.finished, self._response
        if finished.HasField("usage"):
            response.usage.CopyFrom(finished.usage)
        if finished.HasField("cost"):
            response.cost.CopyFrom(finished.cost)
        if finished.HasField("report"):
            response.report.CopyFrom(finished.report)
        response.service_tier = finished.service_tier
        response.system_fingerprint = finished.system_fingerprint
        if finished.extensions:
            response.extensions.MergeFrom(finished.extensions)


def text_of(answer: CompleteResponse) -> str:
    """The text of the first choice, its parts joined; empty if it only calls tools."""
    if not answer.choices:
        return ""
    return "".join(part.text for part in answer.choices[0].message.parts)


def texts_of(events: Iterable[Event]) -> str:
    """The pieces of text of the first choice among these events, joined."""
    return "".join(event.text for event in events if event.choice == 0)


def _append(part: Part, kind: str, piece: str) -> None:
    match kind:
        case "text":
            part.text += piece
        case "refusal":
            part.refusal += piece
        case "reasoning":
            part.reasoning.text += piece
        case "arguments" if part.HasField("server_tool_call"):
            part.server_tool_call.arguments += piece
        case "arguments":
            part.tool_call.arguments += piece
        case _:
            raise ValueError(f"no piece of kind {kind}")
