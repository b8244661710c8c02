"""The conversation as turns of user and assistant, and the instructions above or between them."""

from collections.abc import Mapping, Sequence
from typing import Final

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Message, Role
from trunkline_server.dialects.anthropic.blocks import encode_block, plain_text
from trunkline_server.dialects.anthropic.cache_marks import CacheMarks
from trunkline_server.dialects.anthropic.calls import encode_call, encode_result
from trunkline_server.dialects.anthropic.generation import takes_midway_system, takes_prefill
from trunkline_server.dialects.anthropic.names import DIALECT
from trunkline_server.dialects.extensions import merge_extensions
from trunkline_server.dialects.fields_set import mere_message
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import Translation

_INSTRUCTING: Final = (Role.ROLE_SYSTEM, Role.ROLE_DEVELOPER)
_USER, _ASSISTANT, _SYSTEM = "user", "assistant", "system"
_TEXT, _RESULT = "text", "tool_result"
_THINKING: Final = ("thinking", "redacted_thinking")
# Those of messages that nearly all hold one text alone.
_PLAIN_ROLES: Final[Mapping[int, str]] = {Role.ROLE_USER: _USER, Role.ROLE_ASSISTANT: _ASSISTANT}
_OPENING: Final = "(The conversation goes on.)"
_NAMELESS: Final = "this API knows no names of speakers"
_STEP, _STEP_RESULT = "server_tool_use", "_tool_result"


def encode_conversation(messages: Sequence[Message], body: Json, translation: Translation, marks: CacheMarks) -> None:
    """Puts `messages` and, if there are leading system messages, `system` into the body."""
    leading, system = 0, list[Json]()
    while leading < len(messages) and messages[leading].role in _INSTRUCTING:
        system += _instructions(messages[leading], f"messages[{leading}]", translation, marks)
        leading += 1
    turns = _Turns(translation, marks)
    for at in range(leading, len(messages)):
        turns.take(messages[at], f"messages[{at}]")
    found = turns.close()
    if system and not found:
        translation.emulate(
            "messages[0].role", "a conversation needs the user: the instructions are sent as the user's"
        )
        found, system = [{"role": _USER, "content": system}], []
    if not found:
        raise InvalidRequestError.at_field("messages", "hold nothing that could be sent: no text, no media, no result")
    _check_prefill(messages, found, translation)
    if system:
        body["system"] = system
    body["messages"] = found


def lacks_thinking(turns: Sequence[Json]) -> bool:
    """Whether the turn that the model is to go on with begins with something else than thinking.

    While a model thinks by a budget, such a turn is refused: its calls have lost what was thought before them.
    """
    at = len(turns) - 1
    if turns[at]["role"] == _USER and turns[at]["content"][0]["type"] == _RESULT:
        at -= 1
    return at >= 0 and turns[at]["role"] == _ASSISTANT and turns[at]["content"][0]["type"] not in _THINKING


class _Turns:
    """The turns so far, neighbours of one role not yet joined."""

    def __init__(self, translation: Translation, marks: CacheMarks) -> None:
        self._translation = translation
        self._marks = marks
        self._turns: list[tuple[Json, str]] = []

    def take(self, message: Message, path: str) -> None:
        """The next message."""
        if (text := mere_message(message)) and not text.isspace() and (plain := _PLAIN_ROLES.get(message.role)):
            self._turns.append(({"role": plain, "content": [{"type": _TEXT, "text": text}]}, path))
            return
        translation, marks = self._translation, self._marks
        role = _USER
        match message.role:
            case Role.ROLE_USER:
                content = _blocks(message, path, translation, marks)
            case Role.ROLE_ASSISTANT:
                role, content = _ASSISTANT, _answer(message, path, translation, marks)
            case Role.ROLE_TOOL:
                content = _results(message, path, translation, marks)
            case Role.ROLE_SYSTEM | Role.ROLE_DEVELOPER:
                role, content = _SYSTEM, _instructions(message, path, translation, marks)
            case _:
                raise InvalidRequestError.at_field(f"{path}.role", "is one of system, developer, user, assistant, tool")
        if message.name and role != _SYSTEM:
            translation.drop(f"{path}.name", _NAMELESS)
        if not content:
            translation.rewrite(f"{path}.parts", "an empty turn is left out")
            return
        turn: Json = {"role": role, "content": content}
        if message.extensions:
            merge_extensions(turn, message.extensions, f"{path}.", translation, DIALECT)
        self._turns.append((turn, path))

    def close(self) -> list[Json]:
        """All turns: instructions where they may stand, neighbours joined, the user first."""
        found: list[Json] = []
        turns = _joined_instructions(self._turns)
        for at, (turn, path) in enumerate(turns):
            if turn["role"] == _SYSTEM and not self._may_stand(found, turns[at + 1 : at + 2]):
                self._translation.emulate(
                    f"{path}.role", "no instructions may stand here: they are sent as marked words of the user"
                )
                turn["role"] = _USER
                for block in turn["content"]:
                    block["text"] = f"<system>\n{block['text']}\n</system>"
            if found and found[-1]["role"] == turn["role"]:
                _join(found[-1], turn)
            else:
                found.append(turn)
        if found and found[0]["role"] != _USER:
            self._translation.emulate("messages[0]", "a conversation begins with the user: a turn is put before it")
            found.insert(0, {"role": _USER, "content": [{"type": _TEXT, "text": _OPENING}]})
        return found

    def _may_stand(self, before: Sequence[Json], after: Sequence[tuple[Json, str]]) -> bool:
        """Instructions follow the user, and are last or stand right before an answer.

        https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
        """
        if not takes_midway_system(self._translation.target):
            return False
        return bool(before) and before[-1]["role"] == _USER and all(turn["role"] == _ASSISTANT for turn, _ in after)


def _joined_instructions(turns: Sequence[tuple[Json, str]]) -> list[tuple[Json, str]]:
    """The turns with neighbouring instructions as one."""
    found: list[tuple[Json, str]] = []
    for turn, path in turns:
        if found and turn["role"] == _SYSTEM == found[-1][0]["role"]:
            _join(found[-1][0], turn)
        else:
            found.append((turn, path))
    return found


def _join(first: Json, second: Json) -> None:
    """Joins two turns of one role. Results stand first in a turn of the user."""
    content = first["content"] + second["content"]
    if first["role"] == _USER:
        content.sort(key=lambda block: block["type"] != _RESULT)
    first |= {name: value for name, value in second.items() if name not in first}
    first["content"] = content


def _instructions(message: Message, path: str, translation: Translation, marks: CacheMarks) -> list[Json]:
    if message.name:
        translation.drop(f"{path}.name", _NAMELESS)
    blocks = _blocks(message, path, translation, marks)
    for block in blocks:
        if block["type"] != _TEXT:
            raise translation.refusal(f"{path}.parts", "instructions consist of text")
    return blocks


def _blocks(message: Message, path: str, translation: Translation, marks: CacheMarks) -> list[Json]:
    found: list[Json] = []
    for at, part in enumerate(message.parts[:]):
        if text := plain_text(part):
            found.append({"type": _TEXT, "text": text})
        elif (block := encode_block(part, f"{path}.parts[{at}]", translation, marks)) is not None:
            found.append(block)
    return found


def _answer(message: Message, path: str, translation: Translation, marks: CacheMarks) -> list[Json]:
    found: list[Json] = []
    for index, part in enumerate(message.parts[:]):
        if text := plain_text(part):
            found.append({"type": _TEXT, "text": text})
            continue
        at = f"{path}.parts[{index}]"
        match part.WhichOneof("content"):
            case "tool_call":
                found.append(encode_call(part, at, translation, marks))
            case "audio" if part.audio.transcript:
                translation.emulate(f"{at}.audio", "spoken words are sent back as text", _TEXT)
                found.append({"type": _TEXT, "text": part.audio.transcript})
            case "image" | "file" as kind:
                raise translation.refusal(f"{at}.{kind}", "the model's own turns consist of text and calls")
            case _:
                if (block := encode_block(part, at, translation, marks)) is not None:
                    found.append(block)
    return found


def _results(message: Message, path: str, translation: Translation, marks: CacheMarks) -> list[Json]:
    """Results, and after all of them what belongs to them but may not stand within them."""
    results: list[Json] = []
    beside: list[Json] = []
    for at, part in enumerate(message.parts):
        if not part.HasField("tool_result"):
            raise InvalidRequestError.at_field(
                f"{path}.parts[{at}]", "a message of role tool holds tool_result parts only"
            )
        result, more = encode_result(part, f"{path}.parts[{at}]", translation, marks)
        results.append(result)
        beside += more
    return results + beside


def _check_prefill(messages: Sequence[Message], turns: Sequence[Json], translation: Translation) -> None:
    """Refuses to have an answer gone on with by a model that does not, and ends what is gone on with as it must.

    A turn that paused among the provider's own tools goes back to any model.
    """
    last = messages[-1]
    if last.role != Role.ROLE_ASSISTANT or turns[-1]["role"] != _ASSISTANT:
        return
    if any(block["type"] == _STEP or block["type"].endswith(_STEP_RESULT) for block in turns[-1]["content"]):
        return
    if not takes_prefill(translation.target):
        raise translation.refusal(f"messages[{len(messages) - 1}]", "the model does not go on from words of its own")
    block = turns[-1]["content"][-1]
    if block["type"] == _TEXT and block["text"] != (text := block["text"].rstrip()):
        translation.rewrite(f"messages[{len(messages) - 1}]", "what is gone on with may not end with white space")
        block["text"] = text
