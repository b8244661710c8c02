"""Batches of events as OpenAI's stream of chat.completion.chunk objects.

Its grammar: https://platform.openai.com/docs/api-reference/chat-streaming.

Pieces of text are most of the traffic, so each costs three joined byte strings: what stands before it in its chunk
is made once for each choice, what stands after it once for the stream.
"""

import time

import orjson

from trunkline.errors import GatewayError, from_failure
from trunkline.v1 import (
    ChoiceFinishedEvent,
    Event,
    FailedEvent,
    FinishedEvent,
    Part,
    StreamCompleteResponse,
    ToolKind,
)
from trunkline_bridge.json_text import dump
from trunkline_bridge.openai.chat_choice import ChoiceState
from trunkline_bridge.openai.chat_objects import (
    CITATION,
    SHOWN_PARTS,
    STOP_TEXT,
    Json,
    base64_text,
    completion_id,
    finish_word,
    logprob_items,
    logprobs_object,
    merge_extensions,
    tool_call_object,
    usage_object,
)
from trunkline_bridge.openai.chat_words import EXPLAINED_FINISHES
from trunkline_bridge.report import trunkline_object
from trunkline_bridge.sse import DONE, HEARTBEAT


class ChunkEncoder:
    """Turns one answer's batches into the bytes to send; holds what must be remembered between them."""

    def __init__(self, *, request_id: str, model: str, include_usage: bool, functions: bool = False) -> None:
        """`request_id` and `model` stand in until the answer tells its own; `functions` as in `chat_completion`."""
        self.failure: GatewayError | None = None
        """Why the answer failed, once a batch has said so. What came before has been encoded."""
        self.finished = False
        """Whether the answer is complete and [DONE] was encoded."""
        self._include_usage = include_usage
        self._functions = functions
        self._choices: dict[int, ChoiceState] = {}
        self._out: list[bytes] = []
        self._omitted: set[str] = set()
        self._provider_response_id = ""
        self._ending: Json | None = None
        self._ending_at = 0
        # Closes the delta, the choice, the choices and the chunk.
        self._tail = b'},"logprobs":null,"finish_reason":null}]' + (b',"usage":null' if include_usage else b"")
        self._tail += b"}\n\n"
        self._begin(request_id, model, int(time.time()))

    def encode(self, batch: StreamCompleteResponse) -> bytes:
        """What to send for `batch`; empty if nothing, as after a failure."""
        if self._over():
            return b""
        self._ending = None
        for event in batch.events:
            kind = event.WhichOneof("kind")
            if kind == "text":
                choice = self._choices.get(event.choice) or self._open(event.choice, content="")
                text = event.text
                choice.chars += len(text)
                self._out += (choice.text_head, orjson.dumps(text), self._tail)
                continue
            self._other(kind, event)
            if self._over():
                break
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _over(self) -> bool:
        return self.finished or self.failure is not None

    def _begin(self, request_id: str, model: str, created: int) -> None:
        self._request_id = request_id
        self._head: Json = {
            "id": completion_id(request_id),
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        self._head_text = b"data: " + orjson.dumps(self._head)[:-1] + b',"choices":['

    def _open(self, index: int, *, content: str | None) -> ChoiceState:
        """The choice, its first chunk sent: the one that tells the role."""
        choice = self._choices[index] = ChoiceState(index, self._head_text)
        self._chunk(choice, {"role": "assistant", "content": content, "refusal": None})
        return choice

    def _other(self, kind: str | None, event: Event) -> None:
        match kind:
            case "reasoning" | "summary" | "refusal" | "arguments" | "media":
                self._piece(kind, event)
            case "part_started" | "part_update" | "part_done":
                self._part(kind, event)
            case "started":
                started = event.started
                self._provider_response_id = started.provider_response_id
                self._begin(started.id or self._request_id, started.model, started.created_at_ms // 1000)
            case "choice_finished":
                self._finish_choice(event.choice, event.choice_finished)
            case "finished":
                self._finish(event.finished)
            case "failed":
                self._fail(event.failed)
            case "heartbeat":
                self._out.append(HEARTBEAT)
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
                self._chunk(choice, {"refusal": event.refusal})
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
            self._members(choice, event.part, part, starts=starts)

    def _members(self, choice: ChoiceState, index: int, part: Part, *, starts: bool) -> None:
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
        items = logprob_items(part.logprobs)
        logprobs = logprobs_object([], items) if kind == "refusal" else logprobs_object(items, [])
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

    def _finish_choice(self, index: int, finished: ChoiceFinishedEvent) -> None:
        choice = self._choices.get(index) or self._open(index, content="")
        try:
            word = finish_word(finished.finish_reason, finished.native_finish_reason)
        except GatewayError as error:
            self.failure = error
            return
        if choice.citations:
            self._chunk(choice, {"annotations": choice.annotations()})
        if finished.finish_detail and not choice.refused and finished.finish_reason in EXPLAINED_FINISHES:
            self._chunk(choice, {"refusal": finished.finish_detail})
        told = "function_call" if self._functions and word == "tool_calls" else word
        ending: Json = {"index": index, "delta": {}, "logprobs": None, "finish_reason": told}
        if finished.native_finish_reason not in ("", word):
            ending["native_finish_reason"] = finished.native_finish_reason
        if finished.stop_sequence:
            ending[STOP_TEXT] = finished.stop_sequence
        merge_extensions(ending, finished.extensions)
        if isinstance(message := ending.pop("message", None), dict):  # what a vendor has on the message
            self._chunk(choice, message)
        self._write({**self._head, "choices": [ending]})
        self._ending, self._ending_at = ending, len(self._out)

    def _finish(self, finished: FinishedEvent) -> None:
        """The last chunk: it tells the usage if that was asked for, and in any case what the gateway did.

        Without usage the report goes on the chunk that ends the last choice. Where that chunk is out already, because
        the provider said more after it, the report gets a chunk that adds nothing to the first choice: clients that
        did not ask for usage may not expect a chunk without choices.
        """
        last: Json = dict(self._head)
        if self._include_usage:
            last["choices"] = []
        elif self._ending is not None and self._ending_at == len(self._out):
            self._out.pop()
            last["choices"] = [self._ending]
        else:
            index = min(self._choices, default=0)
            last["choices"] = [{"index": index, "delta": {}, "logprobs": None, "finish_reason": None}]
        if finished.service_tier:
            last["service_tier"] = finished.service_tier
        if finished.system_fingerprint:
            last["system_fingerprint"] = finished.system_fingerprint
        report = trunkline_object(
            self._request_id,
            finished.report if finished.HasField("report") else None,
            finished.cost if finished.HasField("cost") else None,
        )
        if self._provider_response_id:
            report["provider_response_id"] = self._provider_response_id
        if self._omitted:
            report["omitted"] = sorted(self._omitted)
        last["trunkline"] = report
        merge_extensions(last, finished.extensions)
        self._write(last, usage_object(finished.usage) if finished.HasField("usage") else None)
        self._out.append(DONE)
        self.finished = True

    def _fail(self, failed: FailedEvent) -> None:
        self.failure = from_failure(failed.failure)
        if failed.HasField("report"):
            self.failure.report = failed.report

    def _chunk(self, choice: ChoiceState, delta: Json, *, logprobs: Json | None = None) -> None:
        found = {"index": choice.index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
        self._write({**self._head, "choices": [found]})

    def _write(self, chunk: Json, usage: Json | None = None) -> None:
        if self._include_usage:
            chunk["usage"] = usage
        self._out.append(b"data: " + dump(chunk) + b"\n\n")
