"""Anthropic's Messages wire language, of its own API and of Vertex AI."""

from trunkline_server.dialects.anthropic.anthropic import Anthropic

__all__ = ["Anthropic"]
