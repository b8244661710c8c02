"""Whether prompts and answers are recorded, and where: off unless the operator says otherwise."""

import logging
import os
from collections.abc import Mapping
from enum import Enum
from typing import Final

from trunkline_server.config.settings import TelemetrySettings

logger = logging.getLogger(__name__)

VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class Capture(Enum):
    """Where content goes, in the words of OpenTelemetry's variable."""

    NO_CONTENT = "no_content"
    SPAN_ONLY = "span_only"
    EVENT_ONLY = "event_only"
    SPAN_AND_EVENT = "span_and_event"

    @property
    def in_spans(self) -> bool:
        """Whether the spans of attempts carry it."""
        return self in (Capture.SPAN_ONLY, Capture.SPAN_AND_EVENT)

    @property
    def in_events(self) -> bool:
        """Whether an event of its own in the log does."""
        return self in (Capture.EVENT_ONLY, Capture.SPAN_AND_EVENT)


_OLDER_WORDS: Final = {"true": Capture.SPAN_ONLY, "false": Capture.NO_CONTENT, "": Capture.NO_CONTENT}


def capture_of(settings: TelemetrySettings, environ: Mapping[str, str] = os.environ) -> Capture:
    """As the configuration says, or else the variable. What the variable says and nobody knows is taken for no."""
    if settings.capture_content is not None:
        return Capture(settings.capture_content)
    text = environ.get(VARIABLE, "").strip().lower()
    if text in _OLDER_WORDS:
        return _OLDER_WORDS[text]
    try:
        return Capture(text)
    except ValueError:
        known = ", ".join(word.name for word in Capture)
        logger.warning("%s is none of %s; no content is recorded", VARIABLE, known)
        return Capture.NO_CONTENT
