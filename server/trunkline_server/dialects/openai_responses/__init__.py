"""OpenAI's Responses wire language, of OpenAI itself and of those who copy it."""

from trunkline_server.dialects.openai_responses.responses import OpenAIResponses

__all__ = ["OpenAIResponses"]
