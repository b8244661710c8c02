"""Recorded traffic of Gemini's generateContent, of the Developer API and of Vertex AI."""

import re

from recorded_traffic import Record, Recording
from targets import target_of as any_target
from trunkline_server.providers.target import Target
from wire_gemini import error_in

MODEL = re.compile(r"/models/([^/:]+):")

GEMINI = Recording(
    title="Gemini's generateContent",
    apis=frozenset({"generate_content", "stream_generate_content"}),
    is_request=lambda request: "contents" in request,
    error_in=lambda record: error_in(record.body, stream=record.stream),
    exceptions={"request": {}, "answer": {}, "error": {}},
)


def target_of(record: Record) -> Target:
    """The provider and the model that the request went to."""
    found = MODEL.search(record.url)
    return any_target(record.provider, model=found[1] if found else "recorded")
