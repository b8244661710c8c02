"""Recorded traffic of OpenAI's Responses API, of every vendor that has it."""

import json

from recorded_traffic import Json, Record, Recording
from responses_reading import answer_in, error_in
from trunkline_server.config.settings import TargetSettings
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target

STRANGERS = frozenset({"azure", "bedrock"})
"""Recorded providers that serve OpenAI's own models and have no row for this API; they are reached as `openai`."""

NO_ANSWERS = frozenset({"queued", "in_progress"})
"""States of an answer that is given later, for a request to answer in the background."""


def failure_in(record: Record) -> Json | None:
    """The failure that a record tells of; an answer that is given later counts as one here."""
    if record.status // 100 != 2:
        error: Json = json.loads(record.body)["error"]
        return error
    answer = answer_in(record.body, stream=record.stream)
    if answer.get("status") in NO_ANSWERS:
        return {
            "code": answer["status"],
            "message": f"answers later, and the gateway does not wait for it: {answer['status']}",
        }
    return error_in(record.body, stream=record.stream)


RESPONSES = Recording(
    title="Responses API",
    apis=frozenset({"responses"}),
    # To compact a conversation is another operation.
    is_record=lambda raw: not raw["url"].endswith("/compact"),
    is_request=lambda request: "input" in request,
    error_in=failure_in,
    exceptions={"request": {}, "answer": {}, "error": {}},
)


def target_of(record: Record) -> Target:
    """The provider and the model that the request went to."""
    kind = KINDS["openai" if record.provider in STRANGERS else record.provider]
    model = record.request["model"] if record.request else "recorded"
    provider = Provider(name=record.provider, kind=kind, base_url=kind.base_url)
    return Target.of(provider, model, TargetSettings(dialect="openai_responses"))
