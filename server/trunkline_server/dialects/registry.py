"""The dialect table: every wire language by the name that provider kinds refer to."""

from collections.abc import Mapping
from typing import Final

from trunkline_server.dialects.anthropic import Anthropic
from trunkline_server.dialects.dialect import Dialect
from trunkline_server.dialects.gemini import Gemini
from trunkline_server.dialects.openai_chat import OpenAIChat
from trunkline_server.dialects.openai_responses import OpenAIResponses
from trunkline_server.dialects.token_counter import TokenCounter

_RESPONSES: Final = OpenAIResponses()
_ANTHROPIC: Final = Anthropic()
_GEMINI: Final = Gemini()
_ROWS: Final[tuple[Dialect, ...]] = (OpenAIChat(), _RESPONSES, _ANTHROPIC, _GEMINI)

DIALECTS: Final[Mapping[str, Dialect]] = {dialect.name: dialect for dialect in _ROWS}
"""All dialects by name."""

COUNTERS: Final[Mapping[str, TokenCounter]] = {counter.name: counter for counter in (_RESPONSES, _ANTHROPIC, _GEMINI)}
"""Those whose APIs count tokens, by name."""
