"""The conversation as contents of Gemini's wire: turns of user and model, and the instruction above them."""

from collections.abc import Sequence
from typing import Final

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Feature, Message, Role
from trunkline_server.dialects.extensions import merge_extensions
from trunkline_server.dialects.fields_set import mere_text
from trunkline_server.dialects.gemini.calls import Names, encode_call, encode_result, names_of_calls
from trunkline_server.dialects.gemini.names import DIALECT
from trunkline_server.dialects.gemini.parts import encode_part
from trunkline_server.dialects.gemini.signatures import sign_steps
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import Translation

# An enum's names are looked up by a function each time, and these are needed for every message.
_ASSISTANT_ROLE: Final = Role.ROLE_ASSISTANT
_TOOL_ROLE: Final = Role.ROLE_TOOL
_USER_ROLE: Final = Role.ROLE_USER
_SYSTEM: Final = (Role.ROLE_SYSTEM, Role.ROLE_DEVELOPER)
_NO_NAMES: Final[Names] = {}
_USER, _MODEL = "user", "model"
_CALL, _RESPONSE = "functionCall", "functionResponse"
_OPENING: Final = {"role": _USER, "parts": [{"text": "(The conversation goes on.)"}]}


def encode_contents(messages: Sequence[Message], body: Json, translation: Translation) -> None:
    """Puts `contents` and, if there are leading system messages, `systemInstruction` into the body."""
    roles = [message.role for message in messages]
    leading, instruction = 0, list[Json]()
    while leading < len(roles) and roles[leading] in _SYSTEM:
        instruction += _system(messages[leading], f"messages[{leading}]", translation)
        leading += 1
    if roles and roles[-1] == _ASSISTANT_ROLE and translation.target.facts.cannot(Feature.FEATURE_PREFILL):
        raise translation.refusal(f"messages[{len(roles) - 1}]", "the model does not go on from words of its own")
    names = names_of_calls(messages) if _TOOL_ROLE in roles else _NO_NAMES
    contents = _Contents(translation)
    for at in range(leading, len(messages)):
        contents.take(messages[at], f"messages[{at}]", names)
    body["contents"] = turns = contents.close()
    if instruction and not turns:
        translation.emulate(
            "messages[0].role", "a conversation needs the user: the instructions are sent as the user's"
        )
        turns.append({"role": _USER, "parts": instruction})
    elif instruction:
        body["systemInstruction"] = {"parts": instruction}


class _Contents:
    """The turns so far. Neighbours of one role become one turn, but results of tools stay apart from words."""

    def __init__(self, translation: Translation) -> None:
        self._translation = translation
        self._turns: list[Json] = []
        self._steps: list[tuple[Json, str]] = []

    def take(self, message: Message, path: str, names: Names) -> None:
        """The next message."""
        translation, role = self._translation, message.role
        if role == _USER_ROLE:
            parts = _parts(message, path, translation)
        elif role == _ASSISTANT_ROLE:
            parts = self._answer(message, path)
        elif role == _TOOL_ROLE:
            parts = _results(message, path, names, translation)
        elif role in _SYSTEM:
            parts = _midway(message, path, translation)
        else:
            raise InvalidRequestError.at_field(f"{path}.role", "is one of system, developer, user, assistant, tool")
        if message.name:
            translation.drop(f"{path}.name", "this API knows no names of speakers")
        if not parts:
            if role == _USER_ROLE:
                parts = [{"text": ""}]
            else:
                translation.rewrite(f"{path}.parts", "an empty turn is left out")
                return
        turn = self._add(_MODEL if role == _ASSISTANT_ROLE else _USER, parts)
        if message.extensions:
            merge_extensions(turn, message.extensions, f"{path}.", translation, DIALECT)
        if role not in (_ASSISTANT_ROLE, _TOOL_ROLE):
            self._steps.clear()  # here a new turn begins, and what came before need not be signed

    def close(self) -> list[Json]:
        """All turns, once the calls in them are signed."""
        sign_steps(self._steps, self._translation)
        if self._turns and self._turns[0]["role"] == _MODEL:
            self._translation.emulate("messages[0]", "a conversation begins with the user: a turn is put before it")
            self._turns.insert(0, dict(_OPENING))
        return self._turns

    def _add(self, role: str, parts: list[Json]) -> Json:
        last = self._turns[-1] if self._turns else None
        # Both hold results, or neither does.
        if last is not None and last["role"] == role and (_RESPONSE in last["parts"][0]) == (_RESPONSE in parts[0]):
            last["parts"] += parts
            return last
        turn: Json = {"role": role, "parts": parts}
        self._turns.append(turn)
        return turn

    def _answer(self, message: Message, path: str) -> list[Json]:
        found: list[Json] = []
        first_call: tuple[Json, str] | None = None
        for index, part in enumerate(message.parts[:]):
            if (text := mere_text(part)) is not None:
                found.append({"text": text})
                continue
            at = f"{path}.parts[{index}]"
            if part.HasField("tool_call"):
                call = encode_call(part, at, self._translation)
                first_call = first_call or (call, at)
                found.append(call)
            elif part.HasField("audio") and not part.audio.media.WhichOneof("source"):
                if part.audio.transcript:
                    self._translation.emulate(f"{at}.audio", "spoken words are sent back as text", "text")
                    found.append({"text": part.audio.transcript})
                else:
                    self._translation.drop(f"{at}.audio", "there is nothing of it that could be sent")
            elif (wire := encode_part(part, at, self._translation)) is not None:
                found.append(wire)
        if first_call is not None:
            self._steps.append(first_call)
        return found


def _system(message: Message, path: str, translation: Translation) -> list[Json]:
    """The words of a system message."""
    if message.name:
        translation.drop(f"{path}.name", "this API knows no names of speakers")
    parts = _parts(message, path, translation)
    for part in parts:
        if "text" not in part:
            raise translation.refusal(f"{path}.parts", "instructions consist of text")
    return parts


def _midway(message: Message, path: str, translation: Translation) -> list[Json]:
    """A system message after the start: words of the user that say what they are, in their place."""
    parts = _system(message, path, translation)
    if parts:
        translation.emulate(f"{path}.role", "instructions stand at the start: it is sent as marked words of the user")
    return [{**part, "text": f"<system>\n{part['text']}\n</system>"} for part in parts]


def _parts(message: Message, path: str, translation: Translation) -> list[Json]:
    found: list[Json] = []
    for at, part in enumerate(message.parts[:]):
        if (text := mere_text(part)) is not None:
            found.append({"text": text})
        elif (wire := encode_part(part, f"{path}.parts[{at}]", translation)) is not None:
            found.append(wire)
    return found


def _results(message: Message, path: str, names: Names, translation: Translation) -> list[Json]:
    """Results, and after all of them what belongs to them but may not stand within them."""
    results: list[Json] = []
    beside: list[Json] = []
    for at, part in enumerate(message.parts):
        if not part.HasField("tool_result"):
            raise InvalidRequestError.at_field(
                f"{path}.parts[{at}]", "a message of role tool holds tool_result parts only"
            )
        result, *media = encode_result(part, f"{path}.parts[{at}]", names, translation)
        results.append(result)
        beside += media
    return results + beside
