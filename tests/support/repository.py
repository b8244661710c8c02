"""The repository as files: what the tests of its own rules look at."""

import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = ("clients/python", "server", "rest_bridge")


def project_files() -> list[Path]:
    """Every file that is committed or about to be, by path below the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sorted({Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()})


def handwritten_files(*suffixes: str) -> list[Path]:
    """The project's files with these suffixes, without generated ones."""
    return [path for path in project_files() if path.suffix in suffixes and not is_generated(path)]


def is_generated(path: Path) -> bool:
    """Whether a tool writes the file."""
    return "_pb2" in path.name or path.suffix == ".lock"


def package_modules() -> dict[str, Path]:
    """Every hand-written module of the distribution, by its dotted name; examples are not part of it."""
    modules = {}
    for root in SOURCE_ROOTS:
        for path in handwritten_files(".py"):
            if path.is_relative_to(root) and "examples" not in path.parts:
                parts = path.relative_to(root).with_suffix("").parts
                modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def pyproject() -> dict[str, Any]:
    """pyproject.toml, read."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
