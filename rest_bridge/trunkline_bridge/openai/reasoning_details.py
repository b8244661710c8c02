"""What providers want to see again of their models' thinking, as a member of the message: `reasoning_details`.

The member and its entries of type "reasoning.encrypted" are OpenRouter's, which many clients keep and send back
(https://openrouter.ai/docs/use-cases/reasoning-tokens). The words themselves stand in `reasoning_content` alone: an
entry says how many of its characters are its own. What an entry has of ours tells to which part of the message it
belongs; entries that lack it are another's, and stay as they are.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from trunkline.v1 import Message, Part, Phase, StateKind
from trunkline_bridge.openai.fields import Json

MEMBER: Final = "reasoning_details"
BETWEEN: Final = "\n\n"
"""What stands between two parts of the thinking in `reasoning_content`."""

_TYPE: Final = "reasoning.encrypted"


class _Kind(NamedTuple):
    state: "StateKind.ValueType"
    format: str
    """OpenRouter's word for whose state it is."""


_KINDS: Final[Mapping[str, _Kind]] = {
    "anthropic_signature": _Kind(StateKind.STATE_KIND_ANTHROPIC_SIGNATURE, "anthropic-claude-v1"),
    "anthropic_redacted": _Kind(StateKind.STATE_KIND_ANTHROPIC_REDACTED, "anthropic-claude-v1"),
    "gemini_thought_signature": _Kind(StateKind.STATE_KIND_GEMINI_THOUGHT_SIGNATURE, "google-gemini-v1"),
    "openai_encrypted": _Kind(StateKind.STATE_KIND_OPENAI_ENCRYPTED, "openai-responses-v1"),
}
_WORDS: Final = {kind.state: word for word, kind in _KINDS.items()}
_PHASES: Final = {"commentary": Phase.PHASE_COMMENTARY, "final_answer": Phase.PHASE_FINAL_ANSWER}
_PHASE_WORDS: Final = {phase: word for word, phase in _PHASES.items()}
_REDACTED: Final = "anthropic_redacted"
_ON: Final = ("reasoning", "text", "tool_call")


def detail(
    part: Part,
    *,
    on: str,
    index: int,
    call_id: str = "",
    chars: int = 0,
    after_text: bool = False,
    after_calls: int = 0,
) -> Json:
    """The entry for a part; empty if it carries nothing that must come back in this form.

    `on` is what the part is, `index` its place in the message. A call has `call_id`. Of a part of the thinking `chars`
    of the characters in `reasoning_content` are its own, and `after_text` and `after_calls` tell what comes before it.
    """
    word = _WORDS.get(part.state.kind) if part.HasField("state") else None
    phase = _PHASE_WORDS.get(part.phase)
    if on not in _ON or (word is None and phase is None):
        return {}
    found: Json = {"type": _TYPE, "index": index, "on": on}
    if word is not None:
        state = part.state
        found |= {
            "format": _KINDS[word].format,
            "state": word,
            "data": base64.b64encode(state.data).decode(),
            "provider": state.provider,
            "model": state.model,
        }
        if state.id:
            found["id"] = state.id
    if phase is not None:
        found["phase"] = phase
    if on == "tool_call":
        found["tool_call_id"] = call_id
    if on == "reasoning":
        found |= {
            name: value
            for name, value in (("chars", chars), ("after_text", after_text), ("after_calls", after_calls))
            if value
        }
    return found


def restore(message: Message, details: object) -> list[object]:
    """Gives the parts of an assistant's message what its entries hold; returns the entries that are not ours.

    An entry of the thinking whose words did not come back as they were is passed over: no provider would take it.
    """
    if not isinstance(details, list):
        return [details]
    others: list[object] = []
    ours: dict[tuple[str, object], Json] = {}
    for raw in details:
        if isinstance(raw, dict) and _is_ours(raw):
            ours[raw["on"], raw.get("tool_call_id") or raw["index"]] = raw  # of a stream's the last counts
        else:
            others.append(raw)
    if ours:
        _restore(message, list(ours.values()))
    return others


def _is_ours(raw: Json) -> bool:
    known = raw.get("state") in _KINDS or (raw.get("state") is None and raw.get("phase") in _PHASES)
    numbers = (raw.get("index"), raw.get("chars", 0), raw.get("after_calls", 0))
    texts = (raw.get("provider", ""), raw.get("model", ""), raw.get("id", ""), raw.get("data", ""))
    return (
        known
        and raw.get("on") in _ON
        and all(type(number) is int and number >= 0 for number in numbers)
        and all(isinstance(text, str) for text in texts)
        and isinstance(raw.get("tool_call_id", ""), str)
        and isinstance(raw.get("after_text", False), bool)
    )


def _restore(message: Message, entries: list[Json]) -> None:
    calls = {part.tool_call.id: part for part in message.parts if part.HasField("tool_call")}
    texts = [part for part in message.parts if part.HasField("text")]
    for entry in entries:
        if entry["on"] == "tool_call" and (called := calls.get(entry.get("tool_call_id", ""))) is not None:
            _fill(called, entry)
        elif entry["on"] == "text":
            if not texts:
                texts.append(message.parts.add(text=""))
            _fill(texts[-1], entry)
    thinking = sorted((entry for entry in entries if entry["on"] == "reasoning"), key=lambda entry: entry["index"])
    said = [part for part in message.parts if part.HasField("reasoning")]
    made = _thoughts("".join(part.reasoning.text for part in said), thinking)
    if made:
        _place([part for part in message.parts if not part.HasField("reasoning")], made, message)


def _thoughts(words: str, entries: Iterable[Json]) -> list[tuple[Json, Part]]:
    """A part for each entry, with its own words; none if these do not fit together any more."""
    found: list[tuple[Json, Part]] = []
    at = 0
    for entry in entries:
        chars = entry.get("chars", 0)
        if chars and at:
            if words[at : at + len(BETWEEN)] != BETWEEN:
                return []
            at += len(BETWEEN)
        part = Part()
        part.reasoning.SetInParent()  # also where it has no words
        part.reasoning.text = words[at : at + chars]
        part.reasoning.redacted = entry.get("state") == _REDACTED
        _fill(part, entry)
        at += chars
        found.append((entry, part))
    return found if at == len(words) else []


def _place(others: list[Part], thoughts: list[tuple[Json, Part]], message: Message) -> None:
    """Puts the thinking among the other parts, each piece where it was."""
    parts = list(_in_order(others, thoughts))
    copies = [Part.FromString(part.SerializeToString()) for part in parts]
    del message.parts[:]
    message.parts.extend(copies)


def _in_order(others: list[Part], thoughts: list[tuple[Json, Part]]) -> Iterator[Part]:
    waiting = list(thoughts)
    calls = 0

    def due(*, text: bool) -> Iterator[Part]:
        while waiting and waiting[0][0].get("after_calls", 0) <= calls:
            if waiting[0][0].get("after_text") and not text:
                return
            yield waiting.pop(0)[1]

    yield from due(text=False)
    for part in others:
        if part.HasField("tool_call"):
            yield from due(text=True)
            calls += 1
        yield part
    yield from due(text=True)
    yield from (part for _, part in waiting)


def _fill(part: Part, entry: Json) -> None:
    if (phase := entry.get("phase")) is not None:
        part.phase = _PHASES[phase]
    if (word := entry.get("state")) is None:
        return
    try:
        data = base64.b64decode(entry.get("data", ""), validate=True)
    except (binascii.Error, ValueError):
        return  # no state at all is better than a broken one, which the provider would refuse
    part.state.kind = _KINDS[word].state
    part.state.data = data
    part.state.provider = entry.get("provider", "")
    part.state.model = entry.get("model", "")
    part.state.id = entry.get("id", "")
