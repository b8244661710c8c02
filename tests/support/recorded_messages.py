"""Recorded traffic of Anthropic's Messages API."""

from messages_answer import error_in
from recorded_traffic import Record, Recording
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target

MESSAGES = Recording(
    title="Messages API",
    apis=frozenset({"messages"}),
    is_request=lambda request: "messages" in request,
    error_in=lambda record: error_in(record.body, stream=record.stream),
    exceptions={"request": {}, "answer": {}, "error": {}},
)


def target_of(record: Record) -> Target:
    """The provider and the model that the request went to."""
    kind = KINDS["anthropic"]
    model = record.request["model"] if record.request else "recorded"
    return Target.of(Provider(name="anthropic", kind=kind, base_url=kind.base_url), model)
