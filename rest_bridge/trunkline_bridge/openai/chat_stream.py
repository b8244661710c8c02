"""Batches of events as OpenAI's stream of chat.completion.chunk objects.

Its grammar: https://platform.openai.com/docs/api-reference/chat-streaming.
"""

import orjson

from trunkline.v1 import ChoiceFinishedEvent, Event, Part, ToolKind
from trunkline_bridge.openai.answer_stream import AnswerEncoder
from trunkline_bridge.openai.chat_choice import ChoiceState
from trunkline_bridge.openai.chat_objects import (
    CITATION,
    SHOWN_PARTS,
    Json,
    base64_text,
    logprob_items,
    logprobs_object,
    merge_extensions,
    tool_call_object,
)
from trunkline_bridge.openai.chat_words import EXPLAINED_FINISHES
from trunkline_bridge.openai.reasoning_details import MEMBER


class ChunkEncoder(AnswerEncoder[ChoiceState]):
    """An answer as chunks whose deltas add up to a message."""

    OBJECT = "chat.completion.chunk"
    ID_PREFIX = "chatcmpl-"
    DELTA_END = b"}"

    def __init__(self, *, request_id: str, model: str, include_usage: bool, functions: bool = False) -> None:
        """`functions` as in `chat_completion`."""
        self._functions = functions
        super().__init__(request_id=request_id, model=model, include_usage=include_usage)

    def _open(self, index: int, *, content: str | None = "") -> ChoiceState:
        """The choice, its first chunk sent: the one that tells the role."""
        choice = self._choices[index] = ChoiceState(index, self._head_text)
        self._chunk(choice, {"role": "assistant", "content": content, "refusal": None})
        return choice

    def _empty(self, index: int) -> Json:
        return {"index": index, "delta": {}, "logprobs": None, "finish_reason": None}

    def _content(self, kind: str | None, event: Event) -> None:
        match kind:
            case "reasoning" | "summary" | "refusal" | "arguments" | "media":
                self._piece(kind, event)
            case "part_started" | "part_update" | "part_done":
                self._part(kind, event)
            case _:
                pass  # usage so far, previews and changes of target have no chunk; the report tells them

    def _piece(self, kind: str, event: Event) -> None:
        choice = self._choices.get(event.choice) or self._open(event.choice, content=None)
        match kind:
            case "reasoning":
                self._reason(choice, event.reasoning, (event.part, -1))
            case "summary":
                self._reason(choice, event.summary.text, (event.part, event.summary.paragraph))
            case "refusal":
                choice.refused = True
                self._out += (choice.refusal_head, orjson.dumps(event.refusal), self._tail)
            case "arguments":
                if (call := choice.calls.get(event.part)) is not None:  # else those of a tool the provider runs
                    call.begun = True
                    self._out += (call.arguments_head, orjson.dumps(event.arguments), call.arguments_end, self._tail)
            case "media":
                if choice.audio_part == event.part:
                    self._chunk(choice, {"audio": {"data": base64_text(event.media)}})
            case _:
                raise ValueError(f"no piece of kind {kind}")

    def _reason(self, choice: ChoiceState, text: str, block: tuple[int, int]) -> None:
        if text:
            self._out += (choice.reasoning_head, orjson.dumps(choice.paragraph(text, block)), self._tail)

    def _part(self, kind: str, event: Event) -> None:
        part: Part = getattr(event, kind)
        content = part.WhichOneof("content")
        choice = self._choices.get(event.choice)
        if choice is None:
            choice = self._open(event.choice, content="" if content == "text" else None)
        starts = kind == "part_started"
        if starts:
            shown = content or "unknown"
            choice.begin_part(event.part, shown)
            if shown not in SHOWN_PARTS:
                self._omitted.add(shown)
        if choice.kinds.get(event.part) == "tool_call":
            self._call(choice, event.part, part, starts=starts)
            if kind == "part_done":
                self._close_call(choice, event.part)
        elif part.ByteSize():
            self._part_members(choice, event.part, part, starts=starts)
        if (part.HasField("state") or part.phase) and (entry := choice.detail(event.part, part)):
            self._chunk(choice, {MEMBER: [entry]})

    def _part_members(self, choice: ChoiceState, index: int, part: Part, *, starts: bool) -> None:
        """What a part holds when it begins, or what became known of it later."""
        kind = choice.kinds.get(index)
        delta: Json = {}
        match kind:
            case "text" if starts and part.text:
                choice.chars += len(part.text)
                delta["content"] = part.text
            case "refusal" if starts:
                choice.refused = True
                if part.refusal:
                    delta["refusal"] = part.refusal
            case "reasoning":
                if starts:
                    self._reason(choice, part.reasoning.text, (index, -1))
                for number, paragraph in enumerate(part.reasoning.summary):
                    choice.end_paragraph()
                    self._reason(choice, paragraph, (index, number))
            case "audio":
                choice.audio_part = index
                if audio := choice.new_audio(part.audio):
                    delta["audio"] = audio
            case _:
                pass  # named in the report, see SHOWN_PARTS
        if kind in SHOWN_PARTS:
            merge_extensions(delta, part.extensions)
        for citation in part.citations:
            if citation.url:
                choice.citations.append((index, citation))
            else:
                self._omitted.add(CITATION)
        logprobs = None
        if items := logprob_items(part.logprobs):
            refusal = kind == "refusal"
            logprobs = logprobs_object([], items) if refusal else logprobs_object(items, [])
            if not delta and logprobs is not None:
                head = choice.refusal_head if refusal else choice.text_head
                if self._put_logprobs(head, logprobs):
                    return
        if delta or logprobs:
            self._chunk(choice, delta, logprobs=logprobs)

    def _call(self, choice: ChoiceState, index: int, part: Part, *, starts: bool) -> None:
        call = part.tool_call
        if starts:
            custom = call.kind == ToolKind.TOOL_KIND_CUSTOM
            place = choice.begin_call(index, custom=custom, functions=self._functions)
            place.begun = bool(call.arguments)
            found = tool_call_object(call)
        else:
            place = choice.calls[index]
            found = {"id": call.id} if call.id else {}
            if call.name:
                found[place.holder] = {"name": call.name}
        place.id = call.id or place.id
        if place.legacy:
            if place.holder in found:
                self._chunk(choice, {"function_call": found[place.holder]})
            return
        merge_extensions(found, part.extensions)
        if found:
            self._chunk(choice, {"tool_calls": [{"index": place.index, **found}]})

    def _close_call(self, choice: ChoiceState, index: int) -> None:
        call = choice.calls[index]
        if not call.begun and not call.custom:
            # No arguments at all stand for {}; a client would fail to parse nothing.
            call.begun = True
            self._out += (call.arguments_head, b'"{}"', call.arguments_end, self._tail)

    def _last_words(self, choice: ChoiceState, finished: ChoiceFinishedEvent) -> None:
        if choice.citations:
            self._chunk(choice, {"annotations": choice.annotations()})
        if finished.finish_detail and not choice.refused and finished.finish_reason in EXPLAINED_FINISHES:
            self._chunk(choice, {"refusal": finished.finish_detail})

    def _members(self, choice: ChoiceState, message: Json) -> None:
        """In a chunk, what adds to the message stands in the delta."""
        self._chunk(choice, message)

    def _finish_word(self, word: str) -> str:
        return "function_call" if self._functions and word == "tool_calls" else word

    def _chunk(self, choice: ChoiceState, delta: Json, *, logprobs: Json | None = None) -> None:
        found = {"index": choice.index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
        self._write({**self._head, "choices": [found]})
