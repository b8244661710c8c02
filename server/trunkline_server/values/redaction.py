"""The one redactor: what vendors write and what is recorded of content goes on without keys, whatever it quotes."""

import re
from typing import Final

MAX_TEXT_CHARS: Final = 500

# Input longer than this is cut before it is searched, so that a huge error page costs nothing.
_MAX_INPUT_CHARS: Final = 64 * 1024
_HIDDEN: Final = "***"

# Each pattern keeps its first group, if it has one. Replacements stay inside JSON strings: what matches never holds
# a quote or a backslash.
_PATTERNS: Final = (
    # Anything in front of the @ of an address is a credential, and so may be anything behind its question mark.
    re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@\"'\\<>]+(?=@)", re.IGNORECASE),
    re.compile(r"(\bhttps?://[^\s?\"'\\<>]+\?)[^\s\"'\\<>]+", re.IGNORECASE),
    re.compile(r"(\b(?:Bearer|Basic)\s+)[^\s\"'\\,;]{6,}", re.IGNORECASE),
    # Keys as vendors prefix them: OpenAI and its copies, Groq, xAI, Hugging Face, Replicate, Google, AWS, GitHub.
    re.compile(r"()\b(?:sk|pk|rk|gsk|xai|hf|r8|fw|pplx|csk|nvapi|tgp|gh[pousr])[-_][^\s\"'\\,;)]{6,}"),
    re.compile(r"()\b(?:AIza|AKIA|ASIA)[A-Za-z0-9_-]{12,}"),
    re.compile(r"()\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,2}"),
    # key=value and key: value, where the name says what the value is.
    re.compile(
        r"(\b(?:api[-_ ]?key|access[-_ ]?token|auth[-_ ]?token|authorization|client[-_ ]?secret|password|secret)"
        r"\b\\?[\"']?\s*(?:is|[:=])\s*\\?[\"']?)[^\s\"'\\,;]{4,}",
        re.IGNORECASE,
    ),
)
# Long runs of letters and digits are looked at one by one: a secret mixes them, a word does not.
_LONG_RUN: Final = re.compile(r"[A-Za-z0-9+/_=-]*[A-Za-z0-9]{24,}[A-Za-z0-9+/_=-]*")
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Za-z]")


def redact(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """The text without what may be a credential, on one line, cut to `max_chars`."""
    text = " ".join(text[:_MAX_INPUT_CHARS].split())
    text = hide_secrets("".join(char if char.isprintable() else " " for char in text))
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}…"


def hide_secrets(text: str) -> str:
    """The text without what may be a credential, otherwise as it is."""
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    return _LONG_RUN.sub(_without_secret, text)


def _without_secret(match: re.Match[str]) -> str:
    run = match[0]
    return _HIDDEN if _DIGIT.search(run) and _LETTER.search(run) else run
