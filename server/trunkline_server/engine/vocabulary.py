"""The vocabulary by which texts are split into tokens: OpenAI's newest, which the package bpe-openai carries."""

from collections.abc import Callable
from typing import Final

_ENCODING: Final = "o200k_base"


class VocabularyError(Exception):
    """The vocabulary that the configuration asks for is not there."""


def load_vocabulary() -> Callable[[str], int]:
    """How many tokens a text is. Takes a second and 70 MB. Raises VocabularyError where it is not installed."""
    try:
        from bpe_openai import get_encoding  # type: ignore[import-untyped]  # noqa: PLC0415 nobody else is to pay for it; it has no types
    except ImportError as error:
        raise VocabularyError(
            "tokens.estimate is vocabulary, which needs the package bpe-openai: install trunkline[tokenizer]"
        ) from error

    encoding = get_encoding(_ENCODING)
    encode_ordinary: Callable[[str], list[int]] = encoding.encode_ordinary
    return lambda text: len(encode_ordinary(text))
