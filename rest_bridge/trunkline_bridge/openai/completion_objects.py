"""OpenAI's older text_completion, whole and as the objects of a stream.

There is no message in it: what a vendor has on one, beside its text, stands on the choice.
"""

from collections.abc import Sequence

import orjson

from trunkline.v1 import Choice, ChoiceFinishedEvent, CompleteResponse, Event, Part, TokenLogprob
from trunkline_bridge.openai.answer_stream import AnswerEncoder
from trunkline_bridge.openai.chat_objects import CITATION, STOP_TEXT, WEB_CITATION, Json, finish_word, merge_extensions
from trunkline_bridge.openai.chat_response import answer_object
from trunkline_bridge.openai.chat_words import EXPLAINED_FINISHES

OBJECT = "text_completion"
ID_PREFIX = "cmpl-"
SHOWN = frozenset(("text", "refusal"))
"""Kinds of parts that are told: a refusal is what the model said, and there is no other place for it."""


def text_completion(answer: CompleteResponse) -> Json:
    """A whole answer."""
    choices = [_choice(choice) for choice in answer.choices]
    return answer_object(answer, choices, name=OBJECT, id_prefix=ID_PREFIX, shown=SHOWN)


def _choice(choice: Choice) -> Json:
    word = finish_word(choice.finish_reason, choice.native_finish_reason)
    parts = [part for part in choice.message.parts if part.WhichOneof("content") in SHOWN]
    said = "".join(part.text or part.refusal for part in parts)
    if choice.finish_detail and choice.finish_reason in EXPLAINED_FINISHES and not any(p.refusal for p in parts):
        said += choice.finish_detail
    found: Json = {
        "text": said,
        "index": choice.index,
        "logprobs": logprobs_object([token for part in parts for token in part.logprobs], 0),
        "finish_reason": word,
    }
    if choice.native_finish_reason not in ("", word):
        found["native_finish_reason"] = choice.native_finish_reason
    if choice.stop_sequence:
        found[STOP_TEXT] = choice.stop_sequence
    for part in choice.message.parts:
        merge_extensions(found, part.extensions)
    merge_extensions(found, choice.message.extensions)
    merge_extensions(found, choice.extensions)
    _unwrap_message(found)
    return found


def _unwrap_message(choice: Json) -> None:
    if isinstance(message := choice.pop("message", None), dict):
        choice.update({name: value for name, value in message.items() if name not in choice})


def logprobs_object(tokens: Sequence[TokenLogprob], offset: int) -> Json | None:
    """Log probabilities in columns; None where there are none. The first token begins `offset` characters in."""
    if not tokens:
        return None
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.token)
    top = [{**{other.token: other.logprob for other in token.top}, token.token: token.logprob} for token in tokens]
    return {
        "tokens": [token.token for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": top if any(token.top for token in tokens) else None,
        "text_offset": offsets,
    }


class TextState:
    """What a stream remembers of one choice."""

    __slots__ = ("chars", "index", "refused", "text_head", "token_chars")

    def __init__(self, index: int, head: bytes) -> None:
        self.index = index
        self.chars = 0
        self.token_chars = 0
        """Characters of the tokens whose log probabilities were told."""
        self.refused = False
        self.text_head = head + b'{"index":%d,"text":' % index


class CompletionEncoder(AnswerEncoder[TextState]):
    """An answer as a stream of pieces of its text."""

    OBJECT = OBJECT
    ID_PREFIX = ID_PREFIX
    DELTA_END = b""

    def _open(self, index: int) -> TextState:
        choice = self._choices[index] = TextState(index, self._head_text)
        return choice

    def _empty(self, index: int) -> Json:
        return {"index": index, "text": "", "logprobs": None, "finish_reason": None}

    def _content(self, kind: str | None, event: Event) -> None:
        match kind:
            case "refusal":
                self._say(self._choice(event), event.refusal, refusal=True)
            case "part_started":
                self._begin_part(self._choice(event), event.part_started)
            case "part_update":
                self._learn(self._choice(event), event.part_update)
            case "part_done":
                self._learn(self._choice(event), event.part_done)
            case _:
                pass  # pieces of what SHOWN leaves out, and what the report tells

    def _choice(self, event: Event) -> TextState:
        return self._choices.get(event.choice) or self._open(event.choice)

    def _begin_part(self, choice: TextState, part: Part) -> None:
        content = part.WhichOneof("content") or "unknown"
        if content not in SHOWN:
            self._omitted.add(content)
            return
        self._say(choice, part.text or part.refusal, refusal=content == "refusal")
        self._learn(choice, part)

    def _learn(self, choice: TextState, part: Part) -> None:
        self._omitted.update(WEB_CITATION if citation.url else CITATION for citation in part.citations)
        if logprobs := logprobs_object(part.logprobs, choice.token_chars):
            choice.token_chars += sum(len(token.token) for token in part.logprobs)
            if not self._put_logprobs(choice.text_head, logprobs):
                self._chunk(choice, {"logprobs": logprobs})
        if part.extensions:
            members: Json = {}
            merge_extensions(members, part.extensions)
            self._members(choice, members)

    def _say(self, choice: TextState, text: str, *, refusal: bool) -> None:
        choice.refused |= refusal
        if text:
            choice.chars += len(text)
            self._out += (choice.text_head, orjson.dumps(text), self._tail)

    def _last_words(self, choice: TextState, finished: ChoiceFinishedEvent) -> None:
        if finished.finish_detail and not choice.refused and finished.finish_reason in EXPLAINED_FINISHES:
            self._say(choice, finished.finish_detail, refusal=True)

    def _members(self, choice: TextState, message: Json) -> None:
        known = self._empty(choice.index)
        if members := {name: value for name, value in message.items() if name not in known}:
            self._chunk(choice, members)

    def _chunk(self, choice: TextState, members: Json) -> None:
        self._write({**self._head, "choices": [{**self._empty(choice.index), **members}]})
