"""requirements.lock installs the same everywhere, from whatever index the machine is set up with."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from repository import ROOT, pyproject

LOCK = (ROOT / "requirements.lock").read_text()

# One requirement: its pin, perhaps a marker, and its hashes, each on a continued line.
ENTRY = re.compile(
    r"^(?P<pin>[^\s#]\S*==\S+(?: ; [^\n\\]+)?)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})*)\n", re.MULTILINE
)


def wanted() -> list[Requirement]:
    """All that pyproject.toml asks for, the build included: nothing is fetched outside the lock."""
    loaded = pyproject()
    project = loaded["project"]
    groups = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *loaded["dependency-groups"].values(),
        loaded["build-system"]["requires"],
    ]
    return [Requirement(text) for group in groups for text in group]


def pins() -> dict[str, list[Version]]:
    """Versions by normalized name; several where markers choose among them."""
    found: dict[str, list[Version]] = {}
    for entry in ENTRY.finditer(LOCK):
        pin = Requirement(entry["pin"])
        found.setdefault(canonicalize_name(pin.name), []).extend(Version(s.version) for s in pin.specifier)
    return found


def test_every_requirement_has_hashes() -> None:
    entries = list(ENTRY.finditer(LOCK))
    assert entries
    assert [entry["pin"] for entry in entries if not entry["hashes"]] == []


def test_nothing_but_pins_and_comments_stands_in_it() -> None:
    rest = ENTRY.sub("", LOCK).splitlines()
    assert [line for line in rest if not line.lstrip().startswith("#")] == []


def test_it_names_no_place_to_install_from() -> None:
    assert re.findall(r"https?:|file:|--(?:extra-)?index-url|--find-links| @ ", LOCK) == []


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_it_pins_what_pyproject_asks_for(requirement: Requirement) -> None:
    versions = pins().get(canonicalize_name(requirement.name), [])
    assert versions
    assert [v for v in versions if v not in requirement.specifier] == []
