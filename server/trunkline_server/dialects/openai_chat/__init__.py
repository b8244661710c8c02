"""OpenAI's chat completions wire language, and the vendors that copy it."""

from trunkline_server.dialects.openai_chat.chat import OpenAIChat

__all__ = ["OpenAIChat"]
