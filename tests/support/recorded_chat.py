"""Recorded traffic of the chat completions API, of every vendor that has it."""

from recorded_traffic import Record, Recording
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target
from wire_answer import error_in

STRANGERS = frozenset({"azure", "crusoe", "snowflake"})
"""Recorded providers of which the provider table has no row; they are reached as `openai_compatible`."""

CHAT = Recording(
    title="chat completions API",
    apis=frozenset({"chat"}),
    is_request=lambda request: "messages" in request,
    error_in=lambda record: error_in(record.body, stream=record.stream),
    exceptions={
        "request": {},
        "answer": {
            "517669563b1e529b": "edited by hand: no chunk has a finish reason, and such a stream counts as broken off",
        },
        "error": {},
    },
)


def target_of(record: Record) -> Target:
    """The provider and the model that the request went to."""
    kind = KINDS.get(record.provider, KINDS["openai_compatible"])
    model = record.request["model"] if record.request else "recorded"
    provider = Provider(name=record.provider, kind=kind, base_url=kind.base_url or "http://127.0.0.1:9/v1")
    return Target(provider=provider, model=model, name=f"{provider.name}/{model}", dialect="openai_chat")
