"""Nothing of the workbench stays in the repository: no open ends, no one's machine, no one's package index."""

import re

import pytest

from repository import ROOT, project_files

# Written so that this file does not hold what it looks for.
LEFTOVERS = {
    "an open end": r"\b(?:T[O]DO|F[I]XME|X[X]X)\b",
    "a merge conflict": r"^(?:<{7}|>{7}) ",
    "a debugger": r"\bbreakpoint[(][)]|^\s*import i?p[d]b\b",
    "a path of one machine": r"(?<![\w.])/(?:work|root|Users)[/]|/home/(?!you/)\w+[/]",
    "a path out of the repository": r"(?<![\w./])[.][.]/shared\b",
    "a package index": r"(?i)\b(?:py[p]i[.]org|python[h]osted[.]org|registry[.]npm[j]s|proxy[.]go[l]ang|deb[.]deb[i]an|"
    r"crates[.][i]o)",
}


def texts() -> dict[str, str]:
    """Every file of the project that is text, by path."""
    found = {}
    for path in project_files():
        raw = (ROOT / path).read_bytes()
        if b"\0" not in raw:
            found[str(path)] = raw.decode()
    return found


@pytest.mark.parametrize("name", LEFTOVERS)
def test_no_file_holds(name: str) -> None:
    pattern = re.compile(LEFTOVERS[name], re.MULTILINE)
    lines = [f"{path}: {found[0]}" for path, text in texts().items() for found in pattern.finditer(text)]
    assert lines == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("an open end", "# TO" + "DO: later"),
        ("a merge conflict", "<" * 7 + " HEAD"),
        ("a debugger", "    import p" + "db"),
        ("a path of one machine", "see /ro" + "ot/notes"),
        ("a path out of the repository", "see ../sha" + "red/notes"),
        ("a package index", "https://py" + "pi.org/simple"),
    ],
)
def test_it_would_be_seen(name: str, text: str) -> None:
    assert re.search(LEFTOVERS[name], text, re.MULTILINE)
