"""An earlier answer of the assistant as items: with the ids and the state that they had, if they go back home."""

import base64
import hashlib
from typing import Final, NamedTuple

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Citation, Part, Phase, StateKind, ToolKind
from trunkline_server.dialects.fields_set import is_plain
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_responses.content import encode_image, is_for, native_object
from trunkline_server.dialects.openai_responses.extensions import merge_extensions
from trunkline_server.dialects.openai_responses.names import DIALECT, IMAGE_CALL
from trunkline_server.dialects.own_state import is_only_id, is_own
from trunkline_server.dialects.translation import FOREIGN, Translation

_PHASES: Final = {Phase.PHASE_COMMENTARY: "commentary", Phase.PHASE_FINAL_ANSWER: "final_answer"}
_ENCRYPTED: Final = StateKind.STATE_KIND_OPENAI_ENCRYPTED
_COMPLETED: Final = "completed"
_BETWEEN_PARAGRAPHS: Final = "\n\n"
# An opaque part of such a type is content of a message; any other is an item of its own.
_CONTENT: Final = "output_"


class AnsweredCall(NamedTuple):
    """A call that the client was to run."""

    custom: bool
    field: str


class Answer:
    """The items of one assistant message so far.

    Parts with one id are one item. The API checks by id that an item stands after the reasoning that it came with: where
    that does not go back, what followed it loses its id.
    """

    def __init__(self, translation: Translation) -> None:
        self._translation = translation
        self._lost_reasoning = False
        self.items: list[tuple[Json, str]] = []
        """The items, and the fields that they came from."""
        self.calls: dict[str, AnsweredCall] = {}
        """Its calls by id."""

    def take(self, part: Part, path: str) -> None:
        """The next part."""
        if part.HasField("cache_ttl_s"):
            self._translation.drop(f"{path}.cache_ttl_s", "answers cannot carry a breakpoint in this API")
        match part.WhichOneof("content"):
            case "text":
                self._say(part, part.text, path)
            case "refusal":
                self._refuse(part, path)
            case "json":
                self._say(part, part.json, path)
            case "reasoning":
                self._reason(part, path)
            case "tool_call":
                self._call(part, path)
            case "server_tool_call":
                self._step(part, part.server_tool_call.native, part.server_tool_call.provider, path)
            case "server_tool_result":
                self._step(part, part.server_tool_result.native, part.server_tool_result.provider, path)
            case "opaque":
                self._opaque(part, path)
            case "image":
                self._picture(part, path)
            case "audio":
                self._speak(part, path)
            case "file" | "video" as kind:
                raise self._translation.refusal(f"{path}.{kind}", "answers hold no such thing in this API")
            case kind:
                raise InvalidRequestError.at_field(path, f"{kind or 'no content'} has no place in this message")

    def _id(self, part: Part) -> str:
        """The id under which its item goes back; empty if it has none that may be used."""
        if self._lost_reasoning or not part.state.id or not is_own(part, self._translation):
            return ""
        return part.state.id

    def _add(self, item: Json, path: str) -> Json:
        self.items.append((item, path))
        return item

    def _say(self, part: Part, text: str, path: str) -> None:
        if is_plain(part):  # what other dialects and clients make
            if text:
                self._add({"role": "assistant", "content": text}, path)
            return
        self._note_foreign_state(part, path)
        if not text:
            return
        if item_id := self._id(part):
            content: Json = {"type": "output_text", "text": text, "annotations": self._annotations(part, path)}
            self._message(item_id, part)["content"].append(content)
            holder = content
        else:
            if part.citations:
                self._translation.drop(f"{path}.citations", "sources of the answers of others are not sent back")
            holder = self._add({"role": "assistant", "content": text, **_phase(part)}, path)
        if part.extensions:
            merge_extensions(holder, part.extensions, f"{path}.", self._translation)

    def _message(self, item_id: str, part: Part) -> Json:
        """The message that a text with this id belongs to: the last item, or a new one."""
        if self.items and self.items[-1][0].get("type") == "message" and self.items[-1][0].get("id") == item_id:
            return self.items[-1][0]
        item: Json = {"type": "message", "id": item_id, "role": "assistant", "status": _COMPLETED, "content": []}
        return self._add({**item, **_phase(part)}, "")

    def _annotations(self, part: Part, path: str) -> list[Json]:
        found = [_annotation(citation, self._translation) for citation in part.citations]
        if not all(found):
            self._translation.drop(f"{path}.citations", "some have no form in this API")
        return [annotation for annotation in found if annotation]

    def _refuse(self, part: Part, path: str) -> None:
        self._note_foreign_state(part, path)
        if item_id := self._id(part):
            self._message(item_id, part)["content"].append({"type": "refusal", "refusal": part.refusal})
            return
        self._translation.rewrite(f"{path}.refusal", "a refusal is sent back as text", "text")
        self._add({"role": "assistant", "content": part.refusal, **_phase(part)}, path)

    def _reason(self, part: Part, path: str) -> None:
        item = self._reasoning_item(part, path)
        self._lost_reasoning = item is None
        if item is not None:
            if part.extensions:
                merge_extensions(item, part.extensions, f"{path}.", self._translation)
            self._add(item, f"{path}.reasoning")

    def _reasoning_item(self, part: Part, path: str) -> Json | None:
        """The item, if its provider takes it back; else it is noted what is left out."""
        translation, state = self._translation, part.state
        quirks = translation.target.provider.kind.responses
        said, field = part.reasoning, f"{path}.reasoning"
        if not (said.text or said.summary or state.data):
            translation.rewrite(field, "there is nothing in it")
            return None
        if not is_own(part, translation):
            translation.drop(field, "another model made it")
            return None
        item: Json = {
            "type": "reasoning",
            "id": state.id or f"rs_{hashlib.blake2b(state.data or said.text.encode(), digest_size=16).hexdigest()}",
            "summary": [{"type": "summary_text", "text": text} for text in said.summary],
        }
        if state.kind == _ENCRYPTED and state.data:
            item["encrypted_content"] = state.data.decode("utf-8", "replace")
            if said.text and not said.summary and not quirks.plain_reasoning:
                # Such a provider shows summaries only, and a client of another API knows no difference.
                paragraphs = said.text.split(_BETWEEN_PARAGRAPHS)
                item["summary"] = [{"type": "summary_text", "text": text} for text in paragraphs]
        elif not quirks.plain_reasoning:
            translation.drop(field, "the provider takes back only what it has encrypted itself")
            return None
        if said.text and quirks.plain_reasoning:
            item["content"] = [{"type": "reasoning_text", "text": said.text}]
        return item

    def _call(self, part: Part, path: str) -> None:
        call, translation = part.tool_call, self._translation
        quirks = translation.target.provider.kind.responses
        is_custom = call.kind == ToolKind.TOOL_KIND_CUSTOM
        if is_custom and not quirks.custom_tools:
            raise translation.refusal(f"{path}.tool_call.kind", "the provider knows no custom tools")
        item: Json = {"type": "custom_tool_call" if is_custom else "function_call"}
        if item_id := self._id(part):
            item["id"] = item_id
        item |= {"call_id": call.id, "name": call.name}
        if is_custom:
            item["input"] = call.arguments
        else:
            item["arguments"] = call.arguments or "{}"
        if call.namespace:
            if quirks.tool_groups:
                item["namespace"] = call.namespace
            else:
                translation.drop(f"{path}.tool_call.namespace", "the provider has no groups of tools")
        self.calls[call.id] = AnsweredCall(is_custom, f"{path}.tool_call")
        self._add(item, path)
        if is_plain(part):
            return
        self._note_foreign_state(part, path)
        if part.extensions:
            merge_extensions(item, part.extensions, f"{path}.", translation)

    def _step(self, part: Part, native: str, provider: str, path: str) -> None:
        """A step of a tool that the provider runs, as it came."""
        field, translation = f"{path}.{part.WhichOneof('content')}", self._translation
        if provider not in ("", translation.target.provider.name) or not native:
            translation.drop(field, "another provider ran it")
        elif not is_own(part, translation):
            translation.drop(field, "another model asked for it")
        elif self._lost_reasoning:
            translation.drop(field, "the reasoning that it came with does not go back")
        elif type((item := native_object(native, f"{field}.native")).get("type")) is str:
            self._add(item, path)
        else:
            translation.drop(field, "it is of another API")

    def _opaque(self, part: Part, path: str) -> None:
        if not is_for(part.opaque.dialect, self._translation):
            self._translation.drop(f"{path}.opaque", FOREIGN)
        elif part.state.provider not in ("", self._translation.target.provider.name):
            self._translation.drop(f"{path}.opaque", "another provider made it")
        elif part.opaque.type.startswith(_CONTENT):
            if item_id := self._id(part):
                self._message(item_id, part)["content"].append(
                    native_object(part.opaque.native, f"{path}.opaque.native")
                )
            else:
                self._translation.drop(f"{path}.opaque", "it belongs to a message that does not go back as it was")
        else:
            self._add(native_object(part.opaque.native, f"{path}.opaque.native"), path)

    def _picture(self, part: Part, path: str) -> None:
        """A picture that the model drew: part of its call if that goes back, else shown to the model anew."""
        last = self.items[-1][0] if self.items else {}
        if last.get("type") == IMAGE_CALL and part.state.id == last.get("id") and part.image.media.data:
            last["result"] = base64.b64encode(part.image.media.data).decode("ascii")
            return
        self._translation.emulate(f"{path}.image", "answers hold no pictures in this API: it is shown as the user's")
        self._add({"role": "user", "content": [encode_image(part.image, f"{path}.image", self._translation)]}, path)

    def _speak(self, part: Part, path: str) -> None:
        if not part.audio.transcript:
            raise self._translation.refusal(f"{path}.audio", "answers hold no sound in this API")
        self._translation.emulate(f"{path}.audio", "spoken words are sent back as text", "text")
        self._add({"role": "assistant", "content": part.audio.transcript}, path)

    def _note_foreign_state(self, part: Part, path: str) -> None:
        if part.HasField("state") and not is_only_id(part):
            self._translation.drop(f"{path}.state", "only the provider that made it reads it")


def _phase(part: Part) -> Json:
    return {"phase": _PHASES[part.phase]} if part.phase in _PHASES else {}


def _annotation(citation: Citation, translation: Translation) -> Json:
    """The source of a text as it came, or put together anew; empty if it is of a kind that others have."""
    if citation.native and citation.provider == translation.target.provider.name:
        return native_object(citation.native, f"citations[{DIALECT}]")
    if citation.url and citation.HasField("start") and citation.HasField("end"):
        return {
            "type": "url_citation",
            "url": citation.url,
            "title": citation.title,
            "start_index": citation.start,
            "end_index": citation.end,
        }
    return {}
