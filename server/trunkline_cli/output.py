"""Standard output, as commands that print and end write to it."""

import os
import sys


def write_out(*lines: str) -> None:
    """Prints the lines. That the reader has gone, as `head` does when it has seen enough, is no error."""
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        # What Python still holds would fail again when it is flushed at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
