"""A file is one idea: none that is written by hand outgrows a reader."""

from repository import ROOT, handwritten_files

MAX_LINES = 600
CODE = (".go", ".js", ".proto", ".py", ".pyi", ".sh", ".ts")


def test_no_handwritten_file_is_too_long() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in handwritten_files(*CODE)}
    assert lengths
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}
