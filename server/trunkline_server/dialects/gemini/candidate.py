"""One candidate of an answer, from chunks of a stream or from a whole answer, as parts and events."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from trunkline.v1 import Event, FinishReason, Part, ProviderState, ToolKind
from trunkline_server.dialects.dialect import EventSink, MalformedFrameError
from trunkline_server.dialects.exact_json import exact_text
from trunkline_server.dialects.gemini.answer_media import bytes_of, describe, kind_of, media_of
from trunkline_server.dialects.gemini.finish import finish_reason, native_reason
from trunkline_server.dialects.gemini.logprobs import fill_logprobs
from trunkline_server.dialects.gemini.names import DIALECT
from trunkline_server.dialects.gemini.partial_args import PartialArguments
from trunkline_server.dialects.gemini.server_tools import SERVER_TOOLS, fill_server_tool
from trunkline_server.dialects.gemini.signatures import MEMBER as SIGNATURE
from trunkline_server.dialects.gemini.signatures import read_signature
from trunkline_server.dialects.gemini.sources import CitationSink, cite_grounding, cite_recited, join_recited
from trunkline_server.dialects.json_values import Json, json_text, object_in, text_in

# Kinds of parts that pieces are appended to; the first two are also the names of those pieces.
_TEXT: Final = "text"
_REASONING: Final = "reasoning"
_AUDIO: Final = "audio"
_ENDED: Final = ""

_CALL: Final = "functionCall"
_MEDIA: Final = ("inlineData", "fileData")
_KNOWN_PART: Final = frozenset({"text", "thought", SIGNATURE, _CALL, *_MEDIA, *SERVER_TOOLS})
_CONTENT_MEMBERS: Final = frozenset({"role", "parts"})
_KNOWN: Final = frozenset({"index", "content", "finishReason", "finishMessage", "logprobsResult"})
_NOTHING: Final[Json] = {}
# Beside these nothing is to be looked at.
_PLAIN: Final = frozenset({"index", "content"})
_GROUNDING, _RECITED, _LOGPROBS = "groundingMetadata", "citationMetadata", "logprobsResult"


class CandidateDecoder:
    """Turns what the provider says of one candidate into events; holds what must be remembered until its end.

    Parts stay open and the finish waits until the upstream has ended: sources and log probabilities come after the text
    that they are of, and a stream may go on after its finish reason.

    A part with a signature stays a part of its own: joined with its neighbours, it would not be what was signed.
    """

    __slots__ = (
        "_blocked",
        "_calls",
        "_extras",
        "_kind",
        "_malformed",
        "_new_call_id",
        "_open_call",
        "_opened",
        "_origin",
        "_part",
        "_said",
        "_starts",
        "_told",
        "_whole",
        "finished",
        "index",
        "native_reason",
    )

    def __init__(self, index: int, origin: ProviderState, new_call_id: Callable[[int], str], *, whole: bool) -> None:
        self.index = index
        self.finished = False
        """Whether the provider said that it is complete."""
        self.native_reason = ""
        """Why it ended, in the provider's word; empty while it has not."""
        self._origin = origin
        self._new_call_id = new_call_id
        self._whole = whole
        self._kind = _ENDED
        self._part = -1
        self._opened = 0
        self._starts: list[Part] = []
        self._said: dict[int, list[str]] = {}
        self._calls = 0
        self._open_call: tuple[int, PartialArguments] | None = None
        self._malformed: int | None = None
        self._blocked = False
        self._told = ""
        self._extras: Json = {}

    @property
    def reason(self) -> "FinishReason.ValueType":
        """Why it ended, in common words; unspecified while it has not."""
        if self._blocked:
            return FinishReason.FINISH_REASON_CONTENT_FILTER
        return finish_reason(self.native_reason, calls=bool(self._calls))

    def take(self, candidate: Json, source: bytes, at: int, events: EventSink) -> int:
        """One entry of `candidates`; returns how many characters of content it holds.

        It stands at `at` in the answer that was read from `source`.
        """
        chars = 0
        content = candidate.get("content")
        if content is not None:
            if type(content) is not dict:
                raise MalformedFrameError("content is not an object")
            parts = content.get("parts")
            if type(parts) is not list:
                if parts is not None:
                    raise MalformedFrameError("parts is not a list")
                parts = ()
            for number, part in enumerate(parts):
                if type(part) is not dict:
                    raise MalformedFrameError("a part is not an object")
                if len(part) == 1 and type(text := part.get("text")) is str:
                    # The hot case: one piece of text.
                    if self._kind == _TEXT and text and not self._whole:
                        self._event(self._part, events).text = text
                        self._said[self._part].append(text)
                        chars += len(text)
                    else:
                        chars += self._say(_TEXT, text, events)
                else:
                    chars += self._take_part(part, source, (at, number), events)
            if not content.keys() <= _CONTENT_MEMBERS:
                self._keep("content", {name: content[name] for name in content if name not in _CONTENT_MEMBERS})
        if not candidate.keys() <= _PLAIN:
            self._take_others(candidate, events)
        return chars

    def block(self, reason: str, explanation: str) -> None:
        """There is no answer, or no more of it, because the prompt was blocked."""
        self._blocked = self.finished = True
        self.native_reason, self._told = reason, explanation

    def close(self, events: EventSink) -> None:
        """Ends all parts, and the candidate itself if it has ended."""
        self._end_call(events, cut=True)
        self._cite(events)
        for part in range(self._opened):
            done = self._event(part, events).part_done
            done.SetInParent()
            if part == self._malformed:
                done.tool_call.malformed = True
        if not self.finished:
            return
        finished = self._event(0, events).choice_finished
        finished.finish_reason = self.reason
        finished.native_finish_reason = self.native_reason
        if self._told:
            finished.finish_detail = self._told
        if self._extras:
            finished.extensions[DIALECT] = json_text(self._extras)

    def _take_part(self, raw: Json, source: bytes, place: tuple[int, int], events: EventSink) -> int:
        """Any part but plain text."""
        if _CALL in raw:
            return self._take_call(raw, source, place, events)
        thought = raw.get("thought") is True
        text = text_in(raw, "text")
        if "text" in raw or raw.keys() <= {"thought", SIGNATURE}:
            kind = _REASONING if thought else _TEXT
            others = raw.keys() - _KNOWN_PART
            if raw.get(SIGNATURE) or others:
                self._begin(kind, raw, events)
                chars = self._say(kind, text, events)
                self._kind = _ENDED
                return chars
            return self._say(kind, text, events)
        for member in _MEDIA:
            # A picture that is a thought is a sketch on the way: not the answer's, but to be sent back.
            if member in raw and not thought:
                return self._take_media(raw, object_in(raw, member), events)
        # What these parts hold besides stands in their native form.
        started = self._begin(_ENDED, {SIGNATURE: raw.get(SIGNATURE)}, events)
        for member in SERVER_TOOLS:
            if member in raw:
                fill_server_tool(started, member, raw, self._origin.provider)
                return 0
        opaque = started.opaque
        opaque.dialect = DIALECT
        opaque.type = next(iter(raw), "")
        opaque.native = json_text({name: value for name, value in raw.items() if name != SIGNATURE})
        return 0

    def _take_call(self, raw: Json, source: bytes, place: tuple[int, int], events: EventSink) -> int:
        call = object_in(raw, _CALL)
        name, goes_on = text_in(call, "name"), call.get("willContinue") is True
        if self._open_call is not None and not name:
            chars = self._open_call[1].take(call)
            if not goes_on:
                self._end_call(events)
            return chars
        if not name:
            raise MalformedFrameError("a call has no name")
        args = object_in(call, "args")
        started = self._begin(_ENDED, raw, events).tool_call
        started.id = text_in(call, "id") or self._new_call_id(self._calls)
        started.name = name
        started.kind = ToolKind.TOOL_KIND_FUNCTION
        self._calls += 1
        if goes_on or "partialArgs" in call:
            self._open_call = (self._part, PartialArguments())
            chars = self._open_call[1].take(call)
            if not goes_on:
                self._end_call(events)
            return chars
        at = ("candidates", place[0], "content", "parts", place[1], _CALL, "args")
        return self._give_arguments(self._part, exact_text(args, source, *at) if args else "{}", events)

    def _end_call(self, events: EventSink, *, cut: bool = False) -> None:
        """Gives the arguments of a call that came in pieces; `cut`: its end was never told."""
        if self._open_call is None:
            return
        part, arguments = self._open_call
        self._open_call = None
        if cut:
            self._malformed = part
        self._give_arguments(part, arguments.text(cut=cut), events)

    def _give_arguments(self, part: int, text: str, events: EventSink) -> int:
        if self._whole:
            self._starts[part].tool_call.arguments = text
        else:
            self._event(part, events).arguments = text
        return len(text)

    def _take_media(self, part: Json, raw: Json, events: EventSink) -> int:
        kind = kind_of(raw)
        data = bytes_of(raw)
        if kind == _AUDIO and self._kind == _AUDIO and not part.get(SIGNATURE):
            if self._whole:
                media_of(self._starts[self._part], kind).data += data
            elif data:
                self._event(self._part, events).media = data
            return 0
        started = self._begin(kind, part, events)
        media = media_of(started, kind)
        describe(media, raw, self._origin.provider)
        if data and (self._whole or kind == "file"):
            media.data = data
        elif data:
            self._event(self._part, events).media = data
        return 0

    def _take_others(self, candidate: Json, events: EventSink) -> None:
        """What a candidate holds beside its content."""
        logprobs = candidate.get(_LOGPROBS)
        if type(logprobs) is dict and logprobs:
            if self._said:
                fill_logprobs(self._known(max(self._said), events).logprobs, logprobs)
            else:
                self._keep(_LOGPROBS, logprobs)  # the tokens of something else than text
        for name, value in candidate.items():
            if name not in _KNOWN and value:
                self._keep(name, value)
        if reason := native_reason(candidate.get("finishReason")):
            self.native_reason = reason
            self.finished = True
        if told := text_in(candidate, "finishMessage"):
            self._told = told

    def _keep(self, name: str, value: object) -> None:
        """Keeps a member that the contract has no field for.

        A stream repeats them: the last one counts, member by member, because a later one may leave out what was said.
        """
        json_text([[[value]]])  # at the end it would be too late to find that it is nested too deeply
        present = self._extras.get(name)
        if type(present) is dict and type(value) is dict:
            value = join_recited(present, value) if name == _RECITED else {**present, **value}
        self._extras[name] = value

    def _say(self, kind: str, piece: str, events: EventSink) -> int:
        """Appends to the current part if it is of this kind, else to a new one."""
        if not piece:
            return 0
        if self._kind != kind:
            self._begin(kind, _NOTHING, events)
        if kind == _TEXT:
            self._said[self._part].append(piece)
        if not self._whole:
            setattr(self._event(self._part, events), kind, piece)
        elif kind == _REASONING:
            self._starts[self._part].reasoning.text += piece
        else:
            self._starts[self._part].text += piece
        return len(piece)

    def _begin(self, kind: str, raw: Json, events: EventSink) -> Part:
        """A new part of this kind, empty as yet but for what any wire part may carry. Of a whole answer it is filled
        where it stands.
        """
        self._end_call(events)
        part = self._event(self._opened, events).part_started
        self._kind = kind
        self._part = self._opened
        self._opened += 1
        if self._whole:
            self._starts.append(part)
        if kind == _TEXT:
            part.text = ""
            self._said[self._part] = []
        elif kind == _REASONING:
            part.reasoning.SetInParent()
            part.state.CopyFrom(self._origin)
        if not raw:
            return part
        others = {name: value for name, value in raw.items() if name not in _KNOWN_PART}
        if signature := text_in(raw, SIGNATURE):
            data = read_signature(signature)
            if data is None:
                others[SIGNATURE] = signature  # it goes back as it is, all the same
            else:
                part.state.CopyFrom(self._origin)
                part.state.data = data
        if others:
            part.extensions[DIALECT] = json_text(others)
        return part

    def _event(self, part: int, events: EventSink) -> Event:
        """A new event of one part, or of the candidate. That a number is 0 need not be said, and nearly always it is."""
        event = events.add()
        if self.index:
            event.choice = self.index
        if part:
            event.part = part
        return event

    def _cite(self, events: EventSink) -> None:
        """Puts the sources on the texts that rest on them."""
        grounding, recited = self._extras.get(_GROUNDING), self._extras.get(_RECITED)
        if grounding is None and recited is None:
            return
        texts: Mapping[int, str] = {part: "".join(pieces) for part, pieces in self._said.items()}
        known: dict[int, Part] = {}

        def sink_of(part: int) -> CitationSink:
            if part not in known:
                known[part] = self._known(part, events)
            return known[part].citations

        # Sources that cannot be read spoil no answer; they are told as they came, too.
        with suppress(MalformedFrameError):
            if type(grounding) is dict:
                cite_grounding(grounding, texts, sink_of)
        with suppress(MalformedFrameError):
            if type(recited) is dict:
                cite_recited(recited, texts, sink_of)

    def _known(self, part: int, events: EventSink) -> Part:
        """Where to put what became known of an open part; a whole answer has it in the part from the start."""
        return self._starts[part] if self._whole else self._event(part, events).part_update
