"""The strict stand-in for Anthropic takes what Anthropic took: it makes up no rules of its own."""

from recorded_messages import MESSAGES
from recorded_traffic import Json, Record
from strict_anthropic import complaints


def joined(messages: list[Json]) -> list[Json]:
    """Neighbours of one role as one, as the API joins them for those who do not."""
    found: list[Json] = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        if found and found[-1]["role"] == message["role"]:
            found[-1]["content"] += blocks
        else:
            found.append({"role": message["role"], "content": blocks})
    return found


def test_a_request_that_was_answered_breaks_no_rule(request_record: Record) -> None:
    if MESSAGES.error_in(request_record) is not None or request_record.request is None:
        return
    body = {name: value for name, value in request_record.request.items() if value is not None}
    body["messages"] = joined(body["messages"])
    assert complaints(body, body["model"]) == []
