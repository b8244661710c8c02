"""What a model thought in earlier turns, as it goes back to the provider that it came from."""

from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Part, StateKind
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_chat.extensions import merge_extensions
from trunkline_server.dialects.translation import Translation

# Where parts of an assistant message stand: reasoning before all, unless it is an entry of the content itself.
FIRST: Final = 0
SAID: Final = 1

# What DeepSeek takes for reasoning that there is not; it refuses an empty text.
_BLANK: Final = " "


class EarlierReasoning:
    """Collects the reasoning of one assistant message, in the form in which the target's provider takes it back."""

    __slots__ = ("_details", "_texts", "_translation", "place")

    def __init__(self, translation: Translation) -> None:
        self.place = SAID if translation.target.provider.kind.chat.reasoning_member == "content" else FIRST
        """Where its parts stand among the others."""
        self._translation = translation
        self._texts: list[str] = []
        self._details: list[orjson.Fragment] = []

    def take(self, part: Part, path: str, content: list[Json]) -> bool:
        """One reasoning part, put into `content` if that is where it belongs; False if it does not go back."""
        quirks = self._translation.target.provider.kind.chat
        if not self._may_return(part, path):
            return False
        if quirks.reasoning_details and part.state.kind == StateKind.STATE_KIND_OPENROUTER_DETAIL:
            self._details.append(_detail(part, path))
            return True
        if not part.reasoning.text:
            return False
        if quirks.reasoning_member == "content":
            entry: Json = {"type": "thinking", "thinking": [{"type": "text", "text": part.reasoning.text}]}
            if part.extensions:
                merge_extensions(entry, part.extensions, f"{path}.", self._translation)
            content.append(entry)
        else:
            self._texts.append(part.reasoning.text)
        return True

    def put(self, wire: Json, path: str, *, calls: bool) -> None:
        """Puts what was collected into the message; `calls` says whether it holds tool calls."""
        quirks = self._translation.target.provider.kind.chat
        if self._details:
            wire["reasoning_details"] = self._details
        if self._texts:
            wire[quirks.reasoning_member] = "".join(self._texts)
        elif calls and quirks.reasoning_with_calls:
            self._translation.emulate(f"{path}.parts", "the provider wants reasoning beside calls: a blank is sent")
            wire[quirks.reasoning_member] = _BLANK

    def _may_return(self, part: Part, path: str) -> bool:
        """Whether it goes back to this target: as text or as it came, and only to the model that made it."""
        translation, state = self._translation, part.state
        target = translation.target
        quirks = target.provider.kind.chat
        if not quirks.reasoning_member:
            translation.drop(f"{path}.reasoning", "the provider does not take reasoning back")
            return False
        if part.HasField("state"):
            # Clients of other APIs cannot say where it comes from.
            if state.provider and (state.provider, state.model) != (target.provider.name, target.model):
                translation.drop(f"{path}.reasoning", "another model made it")
                return False
            own = quirks.reasoning_details and state.kind == StateKind.STATE_KIND_OPENROUTER_DETAIL
            if state.kind != StateKind.STATE_KIND_PLAIN_TEXT and not own:
                translation.drop(f"{path}.state", "this API takes reasoning back as text only")
        if part.extensions and quirks.reasoning_member != "content":
            translation.drop(f"{path}.extensions", "reasoning goes back as text only")
        if part.reasoning.summary:
            translation.drop(f"{path}.reasoning.summary", "this API takes back the reasoning itself, not its summary")
        if part.HasField("cache_ttl_s"):
            translation.drop(f"{path}.cache_ttl_s", "reasoning cannot carry a breakpoint in this API")
        return True


def _detail(part: Part, path: str) -> orjson.Fragment:
    """An entry of reasoning_details, byte for byte as it came."""
    try:
        entry = orjson.loads(part.state.data)
    except orjson.JSONDecodeError:
        entry = None
    if not isinstance(entry, dict):
        raise InvalidRequestError.at_field(f"{path}.state.data", "is not a JSON object")
    return orjson.Fragment(part.state.data)
