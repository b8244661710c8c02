"""One choice of an answer, from deltas of a stream or from a whole message, as parts and events."""

from collections.abc import Callable
from typing import Any, Final

from trunkline.v1 import Event, FinishReason, Part, ProviderState, StateKind
from trunkline_server.dialects.dialect import EventSink, MalformedFrameError
from trunkline_server.dialects.extras import keep_others
from trunkline_server.dialects.json_values import Json, json_text, object_in, objects_in, text_in
from trunkline_server.dialects.openai_chat.annotations import fill_citation
from trunkline_server.dialects.openai_chat.audio import AudioPart
from trunkline_server.dialects.openai_chat.calls import CALL_MEMBERS, Call, Calls, arguments_of
from trunkline_server.dialects.openai_chat.finish import finish_reason
from trunkline_server.dialects.openai_chat.names import DIALECT
from trunkline_server.dialects.openai_chat.padding import PADDING
from trunkline_server.dialects.openai_chat.reasoning_details import MEMBER as DETAILS
from trunkline_server.dialects.openai_chat.reasoning_details import ReasoningDetails, said_in
from trunkline_server.dialects.token_logprobs import fill_logprobs

# Kinds of parts; the first three are also the names of the pieces that append to them.
_TEXT: Final = "text"
_REASONING: Final = "reasoning"
_REFUSAL: Final = "refusal"
_CALL: Final = "tool_call"
_AUDIO: Final = "audio"
_OPAQUE: Final = "opaque"

# The spellings of reasoning that is one text, in the order in which they are believed: DeepSeek, Z.ai, Fireworks and
# llama.cpp; Groq, vLLM, Ollama, Cerebras, Together and OpenRouter; Ollama's own API and what is built on it.
_REASONING_NAMES: Final = ("reasoning_content", "reasoning", "thinking")

_PLAIN_MEMBERS: Final = frozenset({"role", "content"})
_MESSAGE_MEMBERS: Final = (
    _PLAIN_MEMBERS | PADDING | {"refusal", "tool_calls", "function_call", "audio", "annotations", *_REASONING_NAMES}
)
# OpenAI's whole messages have these two in any case, mostly empty.
_WHOLE_MEMBERS: Final = _PLAIN_MEMBERS | {"refusal", "annotations"}
_MESSAGE_MEMBERS_WITH_DETAILS: Final = _MESSAGE_MEMBERS | {DETAILS}
# A stream of Perplexity has a `message` with all so far beside each `delta`.
CHOICE_MEMBERS: Final = frozenset({"index", "delta", "message", "finish_reason", "logprobs"})
_KNOWN_CHOICE_MEMBERS: Final = CHOICE_MEMBERS | PADDING | {"stop_reason"}
_THINKING_MEMBERS: Final = frozenset({"type", "thinking", "text"})
_AUDIO_MEMBERS: Final = frozenset({"id", "data", "transcript", "expires_at"})

MS_PER_S: Final = 1000


class ChoiceDecoder:
    """Turns what a vendor says of one choice into events; holds what must be remembered until its end.

    Parts stay open and the finish waits until the upstream has ended, because late facts come for any part and after
    any finish reason: OpenRouter sends a further delta with the usage, Azure its filter's findings, OpenAI the expiry
    of audio, vendors fragments of an earlier call. So event.proto's order holds whatever comes, nothing is lost, and
    the price is that a choice's end is told some milliseconds late, with the end of the stream.
    """

    __slots__ = (
        "_audio",
        "_calls",
        "_details",
        "_extras",
        "_kind",
        "_opened",
        "_origin",
        "_part",
        "_part_extras",
        "_reason",
        "_refusal_part",
        "_spoken",
        "_starts",
        "_stop_text",
        "_text_part",
        "_whole",
        "_written_part",
        "finished",
        "index",
    )

    def __init__(
        self, index: int, origin: ProviderState, new_call_id: Callable[[int], str], *, whole: bool, details: bool
    ) -> None:
        self.index = index
        self.finished = False
        """Whether the vendor said that it is complete."""
        self._origin = origin
        self._whole = whole
        self._calls = Calls(new_call_id)
        self._details = ReasoningDetails(whole=whole) if details else None
        self._kind = ""
        self._part = -1
        self._opened = 0
        self._starts: list[Part] = []
        self._text_part: int | None = None
        self._refusal_part: int | None = None
        self._written_part: int | None = None
        self._audio: AudioPart | None = None
        self._spoken = False
        self._reason = ""
        self._stop_text = ""
        self._extras: Json = {}
        self._part_extras: dict[int, Json] = {}

    @property
    def reason(self) -> "FinishReason.ValueType":
        """Why it ended, in common words; unspecified while it has not.

        A whole answer for whose end the vendor has no word, as Snowflake's empty one, ended by itself.
        """
        native = "stop" if (self._spoken or self._whole) and not self._reason else self._reason
        return finish_reason(native, calls=bool(self._calls.all), stop_text=self._stop_text)

    def take(self, choice: Json, events: EventSink) -> int:
        """One entry of `choices`; returns how many characters of content it holds."""
        if not choice.keys() <= CHOICE_MEMBERS:
            self._take_others(choice)
        if self._whole:
            message = choice.get("message") or choice.get("delta")  # Perplexity's body has an empty delta as well
        else:
            message = choice["delta"] if "delta" in choice else choice.get("message")
        chars = 0
        if message:
            content = message.get("content") if type(message) is dict else None
            if type(content) is str and (message.keys() <= _PLAIN_MEMBERS or _is_plain(message)):
                # The hot case: one piece of text.
                if content:
                    chars = len(content)
                    if self._kind == _TEXT and not self._whole:
                        self._event(self._part, events).text = content
                    else:
                        self._say(_TEXT, content, events)
                self._written_part = self._text_part
            else:
                chars = self._take_message(message, events)
        if choice.get("logprobs") is not None:
            self._take_logprobs(choice, events)
        if reason := text_in(choice, "finish_reason"):
            # Snowflake sends an empty reason while there is none.
            self._reason = reason
            self.finished = True
        return chars

    def close(self, events: EventSink) -> None:
        """Ends all parts, and the choice itself if it has ended."""
        calls = {call.part: call for call in self._calls.all}
        for part in range(self._opened):
            done = self._event(part, events).part_done
            done.SetInParent()
            if (call := calls.get(part)) is not None and call.is_malformed():
                done.tool_call.malformed = True
            if extras := self._part_extras.get(part):
                done.extensions[DIALECT] = json_text(extras)
            if self._details is not None and (detail := self._details.by_part.get(part)) is not None:
                done.state.data = json_text(detail).encode()
        if not self.finished:
            return
        if self._details is not None and self._details.by_part:
            # Clients of this wire know no other way to send them back than as they came.
            self._extras.setdefault("message", {})[DETAILS] = list(self._details.by_part.values())
        finished = self._event(0, events).choice_finished
        finished.finish_reason = self.reason
        finished.native_finish_reason = self._reason
        finished.stop_sequence = self._stop_text
        if self._extras:
            finished.extensions[DIALECT] = json_text(self._extras)

    def _take_message(self, message: Any, events: EventSink) -> int:  # noqa: ANN401 it is checked right here
        """All that a delta or message may hold, in the order in which it is to be read."""
        if type(message) is not dict:
            raise MalformedFrameError("a message is not an object")
        if not message.keys() <= _MESSAGE_MEMBERS:
            known = _MESSAGE_MEMBERS if self._details is None else _MESSAGE_MEMBERS_WITH_DETAILS
            keep_others(self._extras.setdefault("message", {}), message, known)
        self._written_part = None
        chars = self._take_reasoning(message, events)
        content = message.get("content")
        if type(content) is list:
            chars += sum(self._take_content(entry, events) for entry in content)
        elif text := text_in(message, "content"):
            chars += self._say(_TEXT, text, events)
        if refusal := text_in(message, "refusal"):
            chars += self._say(_REFUSAL, refusal, events)
        audio = object_in(message, "audio")
        if any(audio.values()):  # Snowflake sends an empty one with every answer
            chars += self._take_audio(audio, events)
        for raw in objects_in(message, "annotations"):
            fill_citation(self._known(self._cited_part(events), events).citations.add(), raw, self._origin.provider)
        for entry in objects_in(message, "tool_calls"):
            chars += self._take_call(entry, events)
        legacy = object_in(message, "function_call")
        if any(legacy.values()):  # Snowflake sends an empty one with every answer, as of audio
            chars += self._take_call({"index": "function_call", "function": legacy}, events)
        return chars

    def _take_reasoning(self, message: Json, events: EventSink) -> int:
        entries = objects_in(message, DETAILS)
        said = next((text for name in _REASONING_NAMES if (text := text_in(message, name))), "")
        if self._details is None:
            # OpenRouter's list comes beside `reasoning`; Snowflake sends it alone.
            return self._say(
                _REASONING, said or "".join(text_in(entry, "text") or said_in(entry) for entry in entries), events
            )
        chars = 0
        if not any(said_in(entry) for entry in entries):
            chars += self._say(_REASONING, said, events)  # else it is the same words
        for entry in entries:
            chars += self._take_detail(entry, self._details, events)
        return chars

    def _take_detail(self, entry: Json, details: ReasoningDetails, events: EventSink) -> int:
        part = details.part_of(entry)
        if part is None:
            self._begin(_REASONING, events).state.kind = StateKind.STATE_KIND_OPENROUTER_DETAIL
            part = self._part
            details.begin(part, entry)
        else:
            details.go_on(part, entry)
        said = said_in(entry)
        if said and self._whole:
            self._starts[part].reasoning.text = said
        elif said:
            self._event(part, events).reasoning = said
        return len(said)

    def _take_content(self, entry: Any, events: EventSink) -> int:  # noqa: ANN401 it is checked right here
        """One entry of a content that is a list, as Mistral's is while its models think."""
        if type(entry) is str:
            return self._say(_TEXT, entry, events)
        if type(entry) is not dict:
            raise MalformedFrameError("content holds something else than objects and text")
        match entry.get("type"):
            case "text":
                return self._say(_TEXT, text_in(entry, "text"), events)
            case "refusal":
                return self._say(_REFUSAL, text_in(entry, "refusal"), events)
            case "thinking":
                return self._take_thinking(entry, events)
            case kind:
                opaque = self._begin(_OPAQUE, events).opaque
                opaque.dialect = DIALECT
                opaque.type = kind if type(kind) is str else ""
                opaque.native = json_text(entry)
                return 0

    def _take_thinking(self, entry: Json, events: EventSink) -> int:
        thinking = entry.get("thinking")
        pieces = [{"text": thinking}] if type(thinking) is str else objects_in(entry, "thinking")
        text = "".join(text_in(piece, "text") for piece in pieces)
        if self._kind != _REASONING:
            self._begin(_REASONING, events)
        chars = self._say(_REASONING, text, events)
        if not entry.keys() <= _THINKING_MEMBERS:
            keep_others(self._part_extras.setdefault(self._part, {}), entry, _THINKING_MEMBERS)
        return chars

    def _take_call(self, entry: Json, events: EventSink) -> int:
        arguments = arguments_of(entry)
        call = None if self._whole else self._calls.find(entry)
        if call is None:
            call = self._begin_call(entry, events)
        if not entry.keys() <= CALL_MEMBERS:
            keep_others(self._part_extras.setdefault(call.part, {}), entry, CALL_MEMBERS)
        if not arguments:
            return 0
        call.append(arguments)
        if self._whole:
            self._starts[call.part].tool_call.arguments = arguments
        else:
            self._event(call.part, events).arguments = arguments
        return len(arguments)

    def _begin_call(self, entry: Json, events: EventSink) -> Call:
        call = self._calls.begin(entry, self._opened)
        started = self._begin(_CALL, events).tool_call
        started.id = call.id
        started.name = call.name
        started.kind = call.kind
        return call

    def _take_audio(self, raw: Json, events: EventSink) -> int:
        audio = self._audio
        if audio is None:
            audio = self._audio = AudioPart(self._opened)
            started = self._begin(_AUDIO, events).audio
            started.SetInParent()
            started.id = text_in(raw, "id")
        if data := audio.decode(text_in(raw, "data")):
            if self._whole:
                self._starts[audio.part].audio.media.data = data
            else:
                self._event(audio.part, events).media = data
        if said := text_in(raw, "transcript"):
            # Updates merge, and of a text the last one counts: so each holds all that was said.
            audio.transcript += said
            self._known(audio.part, events).audio.transcript = audio.transcript
        if type(expires_at := raw.get("expires_at")) is int and 0 <= expires_at < 2**53:
            # OpenAI ends a spoken answer with this and no finish reason.
            self._known(audio.part, events).audio.expires_at_ms = expires_at * MS_PER_S
            self._spoken = self.finished = True
        if not raw.keys() <= _AUDIO_MEMBERS:
            keep_others(self._part_extras.setdefault(audio.part, {}), raw, _AUDIO_MEMBERS)
        return len(said)

    def _take_logprobs(self, choice: Json, events: EventSink) -> None:
        raw = choice["logprobs"]
        if type(raw) is not dict:
            raise MalformedFrameError("logprobs is not an object")
        rest = dict(raw)
        if type(rest.get("content")) is list:
            part = self._text_part if self._written_part is None else self._written_part
            self._fill_logprobs(part, rest, "content", events)
        if type(rest.get("refusal")) is list:
            self._fill_logprobs(self._refusal_part, rest, "refusal", events)
        if any(rest.values()):
            # Another form (Together's), or tokens that belong to no text, such as those of a call.
            keep_others(self._extras, {"logprobs": {name: value for name, value in rest.items() if value}}, ())

    def _fill_logprobs(self, part: int | None, rest: Json, name: str, events: EventSink) -> None:
        """Moves one list of tokens from `rest` to the part that they make up, if there is one."""
        if rest[name] and part is not None:
            fill_logprobs(self._known(part, events).logprobs, objects_in(rest, name))
            del rest[name]

    def _take_others(self, choice: Json) -> None:
        if type(stop_reason := choice.get("stop_reason")) is str:
            self._stop_text = stop_reason  # vLLM: the stop text that was met, or the number of a token
        elif stop_reason is not None:
            keep_others(self._extras, {"stop_reason": stop_reason}, ())
        keep_others(self._extras, choice, _KNOWN_CHOICE_MEMBERS)

    def _say(self, kind: str, piece: str, events: EventSink) -> int:
        """Appends to the current part if it is of this kind, else to a new one."""
        if not piece:
            return 0
        if self._kind != kind:
            self._begin(kind, events)
        self._written_part = self._part
        if not self._whole:
            setattr(self._event(self._part, events), kind, piece)
        elif kind == _REASONING:
            self._starts[self._part].reasoning.text += piece
        else:
            started = self._starts[self._part]
            setattr(started, kind, getattr(started, kind) + piece)
        return len(piece)

    def _begin(self, kind: str, events: EventSink) -> Part:
        """A new part of this kind, empty as yet. Of a whole answer it is filled where it stands."""
        part = self._event(self._opened, events).part_started
        self._kind = kind
        self._part = self._opened
        self._opened += 1
        if self._whole:
            self._starts.append(part)
        match kind:
            case "text":
                part.text = ""
                self._text_part = self._part
            case "refusal":
                part.refusal = ""
                self._refusal_part = self._part
            case "reasoning":
                part.reasoning.SetInParent()
                part.state.CopyFrom(self._origin)
            case _:
                pass  # filled by whoever begins it
        return part

    def _event(self, part: int, events: EventSink) -> Event:
        """A new event of one part, or of the choice. That a number is 0 need not be said, and nearly always it is."""
        event = events.add()
        if self.index:
            event.choice = self.index
        if part:
            event.part = part
        return event

    def _cited_part(self, events: EventSink) -> int:
        """The text that sources are given for. OpenRouter names them before it says a word."""
        if self._text_part is None:
            self._begin(_TEXT, events)
        return self._part if self._text_part is None else self._text_part

    def _known(self, part: int, events: EventSink) -> Part:
        """Where to put what became known of an open part; a whole answer has it in the part from the start."""
        return self._starts[part] if self._whole else self._event(part, events).part_update


def _is_plain(message: Json) -> bool:
    """Whether a message says nothing beside its content, although it has members for more."""
    return message.keys() <= _WHOLE_MEMBERS and not message.get("refusal") and not message.get("annotations")
