"""Exceptions as a log may show them: where they came from, never what they say."""

import traceback


def trace_of(error: BaseException) -> str:
    """Where an exception and its causes came from, without their texts: those may hold content or secrets."""
    lines = []
    while True:
        lines.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__qualname__)
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            return "\ncaused by\n".join(lines)
        error = cause
