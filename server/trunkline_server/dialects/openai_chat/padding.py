"""Members that mean nothing."""

from typing import Final

# Padding against guessing tokens from the lengths of packets; it is not kept.
PADDING: Final = frozenset({"obfuscation", "p"})
