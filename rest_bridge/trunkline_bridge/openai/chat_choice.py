"""What a stream remembers of one choice: constant ends of its chunks, its tool calls, its sources."""

from trunkline.v1 import Audio, Citation, Part
from trunkline_bridge.openai.chat_objects import Json, annotation, base64_text
from trunkline_bridge.openai.reasoning_details import BETWEEN, detail

Block = tuple[int, int]
"""A paragraph of thinking: its part, and its number in the summary or -1 for the thinking itself."""

_ENDED: Block = (-1, -1)


class CallState:
    """One tool call: its place in `tool_calls`, and what stands around a piece of its arguments."""

    __slots__ = ("arguments_end", "arguments_head", "begun", "custom", "holder", "id", "index", "legacy")

    def __init__(self, index: int, delta_head: bytes, *, custom: bool, legacy: bool) -> None:
        """`legacy`: told as the deprecated `function_call`."""
        self.index = index
        self.custom = custom
        self.legacy = legacy
        self.id = ""
        self.begun = False
        """Whether any arguments were sent."""
        self.holder = "custom" if custom else "function"
        if legacy:
            self.arguments_head = delta_head + b'{"function_call":{"arguments":'
            self.arguments_end = b"}"
        else:
            holder = b'"custom":{"input":' if custom else b'"function":{"arguments":'
            self.arguments_head = delta_head + b'{"tool_calls":[{"index":%d,%b' % (index, holder)
            self.arguments_end = b"}}]"


class _Thought:
    """One part of the thinking: how long it is so far, and what of the message came before it."""

    __slots__ = ("after_calls", "after_text", "chars")

    def __init__(self, *, after_text: bool, after_calls: int) -> None:
        self.chars = 0
        self.after_text = after_text
        self.after_calls = after_calls


class ChoiceState:
    """One choice. `chars` counts the characters of its text, as positions of sources do."""

    __slots__ = (
        "_audio_id",
        "_delta_head",
        "_legacy",
        "_offsets",
        "_thought",
        "_transcript",
        "audio_part",
        "block",
        "calls",
        "chars",
        "citations",
        "index",
        "kinds",
        "reasoning_head",
        "refusal_head",
        "refused",
        "text_head",
    )

    def __init__(self, index: int, head: bytes) -> None:
        """`head` is how every chunk of the answer begins, up to its choices."""
        self.index = index
        self.kinds: dict[int, str] = {}
        """What each part is."""
        self.calls: dict[int, CallState] = {}
        """Tool calls by part."""
        self.chars = 0
        self.refused = False
        self.audio_part = -1
        self.block: Block | None = None
        """The paragraph of thinking told last."""
        self.citations: list[tuple[int, Citation]] = []
        self._delta_head = head + b'{"index":%d,"delta":' % index
        self.text_head = self._delta_head + b'{"content":'
        self.refusal_head = self._delta_head + b'{"refusal":'
        self.reasoning_head = self._delta_head + b'{"reasoning_content":'
        self._offsets: dict[int, int] = {}
        self._thought: dict[int, _Thought] = {}
        self._legacy: CallState | None = None
        self._audio_id = ""
        self._transcript = ""

    def begin_part(self, index: int, kind: str) -> None:
        """Its text, if it is one, stands after all that was said before."""
        self.kinds[index] = kind
        self._offsets[index] = self.chars
        if kind == "reasoning":
            self._thought[index] = _Thought(after_text=self.chars > 0, after_calls=len(self.calls))

    def begin_call(self, part: int, *, custom: bool, functions: bool) -> CallState:
        """The first function call of a client of the functions API has a place of its own."""
        legacy = functions and not custom and self._legacy is None
        call = CallState(len(self.calls) - (self._legacy is not None), self._delta_head, custom=custom, legacy=legacy)
        self.calls[part] = call
        if legacy:
            self._legacy = call
        return call

    def paragraph(self, text: str, block: Block) -> str:
        """`text` as it goes on in the thinking: a new block begins a new paragraph."""
        begins = self.block is not None and self.block != block
        self.block = block
        thought = self._thought.get(block[0])
        if thought is not None:
            thought.chars += len(text) + (len(BETWEEN) if begins and thought.chars else 0)
        return BETWEEN + text if begins else text

    def detail(self, index: int, part: Part) -> Json:
        """What must come back of a part, of which `part` is what became known last; empty if there is nothing."""
        if (call := self.calls.get(index)) is not None:
            return detail(part, on="tool_call", index=index, call_id=call.id)
        if (thought := self._thought.get(index)) is None:
            return detail(part, on=self.kinds.get(index, ""), index=index)
        return detail(
            part,
            on="reasoning",
            index=index,
            chars=thought.chars,
            after_text=thought.after_text,
            after_calls=thought.after_calls,
        )

    def end_paragraph(self) -> None:
        """Whatever thinking comes next begins a new paragraph."""
        if self.block is not None:
            self.block = _ENDED

    def new_audio(self, audio: Audio) -> Json:
        """What `audio` says that was not told before. Its transcript holds all that was said so far."""
        found: Json = {}
        if audio.id and audio.id != self._audio_id:
            self._audio_id = found["id"] = audio.id
        if audio.media.data:
            found["data"] = base64_text(audio.media.data)
        if audio.transcript:
            found["transcript"] = audio.transcript.removeprefix(self._transcript)
            self._transcript = audio.transcript
        if audio.expires_at_ms:
            found["expires_at"] = audio.expires_at_ms // 1000
        return found

    def annotations(self) -> list[Json]:
        """The sources on the web, at their places in the whole content."""
        starts = list(self._offsets.values())
        ends = dict(zip(self._offsets, [*starts[1:], self.chars], strict=True))
        found = []
        for part, citation in self.citations:
            offset = self._offsets.get(part, 0)
            found.append(annotation(citation, offset, ends.get(part, self.chars) - offset))
        return found
