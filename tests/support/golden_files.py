"""Expected values in files. `GOLDENS=write` in the environment writes them anew, for a look at the difference."""

import os
from pathlib import Path


def check_golden(path: Path, text: str) -> None:
    """The text is what the file says."""
    if os.environ.get("GOLDENS") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
