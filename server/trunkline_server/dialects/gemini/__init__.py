"""Google's generateContent wire language, of the Developer API and of Vertex AI."""

from trunkline_server.dialects.gemini.gemini import Gemini

__all__ = ["Gemini"]
