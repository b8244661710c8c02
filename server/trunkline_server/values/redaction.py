"""The one redactor: what vendors write and what is recorded of content goes on without keys, whatever it quotes."""

import re
from collections.abc import Callable
from typing import Final

MAX_TEXT_CHARS: Final = 500

# Input longer than this is cut before it is searched, so that a huge error page costs nothing.
_MAX_INPUT_CHARS: Final = 64 * 1024
_HIDDEN: Final = "***"

Replacement = str | Callable[[re.Match[str]], str]


def _without_query(match: re.Match[str]) -> str:
    address, _, query = match[0].partition("?")
    return f"{address}?{_HIDDEN}" if query else match[0]


def _without_token(match: re.Match[str]) -> str:
    token = match[0].rstrip(".")
    return _HIDDEN + match[0][len(token) :] if "." in token else match[0]


def _without_secret(match: re.Match[str]) -> str:
    run = match[0]
    return _HIDDEN if _UNBROKEN.search(run) and _DIGIT.search(run) and _LETTER.search(run) else run


_KEPT: Final = rf"\1{_HIDDEN}"
# What a text must hold in lower case, any one of it, so that a rule is tried; the rule; what takes the place of what it
# finds. Each takes time in proportion to the text, whatever that is: what is repeated without limit is not looked for
# again from the middle of what was found. Replacements stay inside JSON strings: what matches never holds a quote or a
# backslash.
_RULES: Final[tuple[tuple[tuple[str, ...], re.Pattern[str], Replacement], ...]] = (
    # Anything in front of the @ of an address is a credential, and so may be anything behind its question mark.
    (
        ("://",),
        re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@\"'\\<>]+(?=@)", re.IGNORECASE | re.ASCII),
        _KEPT,
    ),
    (("://",), re.compile(r"\bhttps?://[^\s\"'\\<>]+", re.IGNORECASE | re.ASCII), _without_query),
    (
        ("bearer", "basic"),
        re.compile(r"(\b(?:Bearer|Basic)\s{1,9})[^\s\"'\\,;]{6,}", re.IGNORECASE | re.ASCII),
        _KEPT,
    ),
    # Keys as vendors prefix them: OpenAI and its copies, Groq, xAI, Hugging Face, Replicate, Google, AWS, GitHub.
    (
        ("-", "_"),
        re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|r8|fw|pplx|csk|nvapi|tgp|gh[pousr])[-_][^\s\"'\\,;)]{6,}", re.ASCII),
        _HIDDEN,
    ),
    (("aiza", "akia", "asia"), re.compile(r"\bA(?:Iza|KIA|SIA)[A-Za-z0-9_-]{12,}", re.ASCII), _HIDDEN),
    (("eyj",), re.compile(r"\beyJ[A-Za-z0-9_.-]{10,}", re.ASCII), _without_token),
    # key=value and key: value, where the name says what the value is.
    (
        ("key", "token", "authorization", "secret", "password"),
        re.compile(
            r"(\b(?:api[-_ ]?key|access[-_ ]?token|auth[-_ ]?token|authorization|client[-_ ]?secret|password|secret)"
            r"\b\\?[\"']?\s{0,9}(?:is|[:=])\s{0,9}\\?[\"']?)[^\s\"'\\,;]{4,}",
            re.IGNORECASE | re.ASCII,
        ),
        _KEPT,
    ),
    # Long runs of letters and digits are looked at one by one: a secret mixes them, a word does not.
    (("",), re.compile(r"[A-Za-z0-9+/_=-]{24,}"), _without_secret),
)
_UNBROKEN: Final = re.compile(r"[A-Za-z0-9]{24}")
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Za-z]")


def redact(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """The text without what may be a credential, on one line, cut to `max_chars`."""
    text = " ".join(text[:_MAX_INPUT_CHARS].split())
    text = hide_secrets("".join(char if char.isprintable() else " " for char in text))
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}…"


def hide_secrets(text: str) -> str:
    """The text without what may be a credential, otherwise as it is."""
    lowered = text.lower()
    for needles, pattern, replacement in _RULES:
        if any(needle in lowered for needle in needles):
            text = pattern.sub(replacement, text)
    return text
