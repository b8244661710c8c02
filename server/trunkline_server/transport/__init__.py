"""All I/O with providers."""
