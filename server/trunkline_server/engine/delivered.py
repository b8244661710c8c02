"""What the caller of a stream has been given so far, in case another target must go on with it."""

from typing import Final

from trunkline.v1 import CompleteRequest, Event, FormatKind, Modality, StreamCompleteResponse

# Batches are kept as they are and looked at a number at a time: an answer that needs no help costs an append a batch.
_FOLD_AFTER: Final = 64

_HARMLESS: Final = frozenset({"started", "heartbeat", "usage", "resumed", None})
_NOT_TEXT: Final = "what was given is more than plain text"


class Delivered:
    """The text of an answer that may have to be gone on with, and whether it can be."""

    __slots__ = ("_batches", "_obstacle", "_texts", "open_part", "parts")

    def __init__(self, request: CompleteRequest) -> None:
        self._batches: list[StreamCompleteResponse] = []
        self._texts: list[str] = []
        self._obstacle = _obstacle_of(request)
        self.open_part: int | None = None
        """The index of the part of text that was not done, as of the last look."""
        self.parts = 0
        """How many parts were begun, as of the last look."""

    def add(self, batch: StreamCompleteResponse) -> None:
        """What goes to the caller now."""
        if self._obstacle:
            return
        self._batches.append(batch)
        if len(self._batches) >= _FOLD_AFTER:
            self._fold()

    def obstacle(self) -> str:
        """Why nobody can go on with it; empty if somebody can."""
        self._fold()
        return self._obstacle

    def text(self) -> str:
        """All text so far."""
        self._fold()
        text = "".join(self._texts)
        self._texts = [text]
        return text

    def _fold(self) -> None:
        batches, self._batches = self._batches, []
        for batch in batches:
            for event in batch.events:
                self._look_at(event)

    def _look_at(self, event: Event) -> None:
        kind = event.WhichOneof("kind")
        if kind == "text":
            if event.choice:
                self._obstacle = _NOT_TEXT
            self._texts.append(event.text)
        elif kind == "part_started":
            part = event.part_started
            if event.choice or part.WhichOneof("content") != "text" or part.HasField("state") or part.logprobs:
                self._obstacle = _NOT_TEXT
            self._texts.append(part.text)
            self.open_part = event.part
            self.parts += 1
        elif kind == "part_done":
            if event.part_done.ByteSize():
                self._obstacle = _NOT_TEXT
            self.open_part = None
        elif kind not in _HARMLESS:
            self._obstacle = _NOT_TEXT


def _obstacle_of(request: CompleteRequest) -> str:
    """What of the request makes a continuation impossible: the answer has a form that a seam would break."""
    if request.choice_count > 1:
        return "several choices were asked for"
    if request.HasField("response_format") and request.response_format.kind not in (
        FormatKind.FORMAT_KIND_UNSPECIFIED,
        FormatKind.FORMAT_KIND_TEXT,
    ):
        return "the answer has a format"
    if request.logprobs or request.top_logprobs:
        return "log probabilities were asked for"
    if request.HasField("audio_output") or any(
        modality != Modality.MODALITY_TEXT for modality in request.output_modalities
    ):
        return "more than text was asked for"
    return ""
