"""The account of every request and attempt."""
