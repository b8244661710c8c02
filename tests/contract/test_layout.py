"""The house has the rooms that people and tools look for, and files are named by what they hold."""

import pytest

from repository import ROOT, handwritten_files, package_modules, pyproject

# What newcomers, packagers and CI rely on; moving one is a change for all of them.
TOP_LEVEL = [
    ".ci/run",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "buf.yaml",
    "clients/",
    "protos/",
    "pyproject.toml",
    "requirements.lock",
    "rest_bridge/",
    "server/",
    "tests/",
]

# Names that fit anything and therefore attract everything.
VAGUE_NAMES = {"common", "helper", "helpers", "misc", "shared", "stuff", "util", "utils"}


@pytest.mark.parametrize("entry", TOP_LEVEL)
def test_the_top_level_holds(entry: str) -> None:
    path = ROOT / entry
    assert path.is_dir() if entry.endswith("/") else path.stat().st_size > 0


def test_every_module_ships() -> None:
    packages = [ROOT / package for package in pyproject()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
    modules = [ROOT / path for path in package_modules().values()]
    assert modules
    assert [m for m in modules if not any(m.is_relative_to(package) for package in packages)] == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {(ROOT / path).parent for path in package_modules().values()}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_client_is_typed_for_those_who_install_it() -> None:
    assert (ROOT / "clients/python/trunkline/py.typed").is_file()


def test_no_file_has_a_name_that_fits_anything() -> None:
    named = handwritten_files(".py", ".proto", ".sh")
    assert [path for path in named if VAGUE_NAMES & {path.stem, *path.parts[:-1]}] == []
