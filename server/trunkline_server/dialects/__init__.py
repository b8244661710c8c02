"""The wire languages that providers speak; pure translation, no I/O."""
