"""Events of a stream that are about one item of the answer, and what each does to it.

Not all are read. Of the others, such as the progress of a search, what they say stands in the item when it ends.
"""

from collections.abc import Callable, Mapping
from typing import Final

from trunkline_server.dialects.dialect import EventSink
from trunkline_server.dialects.json_values import Json, object_in, text_in
from trunkline_server.dialects.openai_responses.message_item import REFUSAL, TEXT
from trunkline_server.dialects.openai_responses.output import Output
from trunkline_server.dialects.openai_responses.step_item import picture_bytes, picture_type

TEXT_DELTA: Final = "response.output_text.delta"
_REASONING_TEXT: Final = "reasoning_text"

Handler = Callable[[Output, Json, EventSink], int]
"""Returns how many characters of content the event holds that were not told before."""


def say(output: Output, event: Json, events: EventSink) -> int:
    """A piece of a text."""
    message = output.message(output.place(event))
    return message.say(_index(event, "content_index"), TEXT, text_in(event, "delta"), events)


def _refuse(output: Output, event: Json, events: EventSink) -> int:
    message = output.message(output.place(event))
    return message.say(_index(event, "content_index"), REFUSAL, text_in(event, "delta"), events)


def _add_item(output: Output, event: Json, events: EventSink) -> int:
    output.add(output.place(event), object_in(event, "item"), events)
    return 0


def _end_item(output: Output, event: Json, events: EventSink) -> int:
    return output.complete(output.place(event), object_in(event, "item"), events)


def _add_content(output: Output, event: Json, events: EventSink) -> int:
    part = object_in(event, "part")
    if text_in(part, "type") != _REASONING_TEXT:
        output.message(output.place(event)).add(_index(event, "content_index"), part, events)
    return 0


def _end_content(output: Output, event: Json, events: EventSink) -> int:
    part = object_in(event, "part")
    if text_in(part, "type") == _REASONING_TEXT:
        return 0
    return output.message(output.place(event)).end(_index(event, "content_index"), part, events)


def _cite(output: Output, event: Json, events: EventSink) -> int:
    message = output.message(output.place(event))
    message.cite(_index(event, "content_index"), object_in(event, "annotation"), events)
    return 0


def _reason(output: Output, event: Json, events: EventSink) -> int:
    reasoning = output.reasoning(output.place(event), events)
    return reasoning.say(_index(event, "content_index"), text_in(event, "delta"), events)


def _end_reasoning(output: Output, event: Json, events: EventSink) -> int:
    reasoning = output.reasoning(output.place(event), events)
    return reasoning.end_text(_index(event, "content_index"), text_in(event, "text"), events)


def _summarize(output: Output, event: Json, events: EventSink) -> int:
    reasoning = output.reasoning(output.place(event), events)
    return reasoning.summarize(_index(event, "summary_index"), text_in(event, "delta"), events)


def _end_summary(output: Output, event: Json, events: EventSink) -> int:
    reasoning = output.reasoning(output.place(event), events)
    return reasoning.end_summary(_index(event, "summary_index"), text_in(event, "text"), events)


def _argue(output: Output, event: Json, events: EventSink) -> int:
    called = output.called(output.place(event))
    return 0 if called is None else called.argue(text_in(event, "delta"), events)


def _preview(_: Output, event: Json, events: EventSink) -> int:
    if picture := picture_bytes(text_in(event, "partial_image_b64")):
        preview = events.add().preview
        preview.data, preview.mime_type = picture, picture_type(event)
        preview.index = _index(event, "partial_image_index")
    return 0


def _index(event: Json, name: str) -> int:
    """Which entry of an item an event is about; the first, if it does not say."""
    index = event.get(name)
    return index if type(index) is int and 0 <= index < _MAX_INDEX else 0


_MAX_INDEX: Final = 2**31

ITEM_EVENTS: Final[Mapping[str, Handler]] = {
    TEXT_DELTA: say,
    "response.output_item.added": _add_item,
    "response.output_item.done": _end_item,
    "response.content_part.added": _add_content,
    "response.content_part.done": _end_content,
    "response.refusal.delta": _refuse,
    "response.output_text.annotation.added": _cite,
    "response.reasoning_text.delta": _reason,
    "response.reasoning_text.done": _end_reasoning,
    "response.reasoning_summary_text.delta": _summarize,
    "response.reasoning_summary_text.done": _end_summary,
    "response.function_call_arguments.delta": _argue,
    "response.custom_tool_call_input.delta": _argue,
    "response.mcp_call_arguments.delta": _argue,
    "response.image_generation_call.partial_image": _preview,
}
"""By type."""
