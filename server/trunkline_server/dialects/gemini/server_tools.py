"""Steps of tools that the provider runs itself: code, search and what follows, as parts that only it reads."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import Part
from trunkline_server.dialects.gemini.signatures import MEMBER as SIGNATURE
from trunkline_server.dialects.json_values import Json, json_text, object_in, text_in

_CODE: Final = "code_execution"
_CALLS: Final[Mapping[str, str]] = {"executableCode": _CODE, "toolCall": ""}
_RESULTS: Final[Mapping[str, str]] = {"codeExecutionResult": _CODE, "toolResponse": ""}
SERVER_TOOLS: Final = (*_CALLS, *_RESULTS)
"""Members of a wire part that make it such a step."""

# https://ai.google.dev/api/caching#Outcome; an absent one says nothing.
_WELL: Final = ("", "OUTCOME_OK", "OUTCOME_UNSPECIFIED")


def fill_server_tool(part: Part, member: str, raw: Json, provider: str) -> None:
    """Makes `part` the step that the wire part `raw` is by its `member`. The signature stands in the part's state."""
    step = object_in(raw, member)
    native = json_text({name: value for name, value in raw.items() if name != SIGNATURE})
    if member in _CALLS:
        call = part.server_tool_call
        call.id, call.name, call.type = text_in(step, "id"), _CALLS[member] or text_in(step, "toolType"), member
        if member == "toolCall":
            call.arguments = json_text(object_in(step, "args"))
        else:
            call.arguments = json_text({name: step[name] for name in ("language", "code") if name in step})
        call.provider, call.native = provider, native
        return
    result = part.server_tool_result
    result.call_id, result.name, result.type = (
        text_in(step, "id"),
        _RESULTS[member] or text_in(step, "toolType"),
        member,
    )
    result.is_error = text_in(step, "outcome") not in _WELL
    if output := text_in(step, "output"):
        result.parts.add(text=output)
    if "response" in step:
        result.parts.add(json=json_text(object_in(step, "response")))
    result.provider, result.native = provider, native
