"""CHANGELOG.md keeps its form (keepachangelog.com), so that people and release tools can read it."""

import datetime
import re

from packaging.version import Version

from repository import ROOT

LINES = (ROOT / "CHANGELOG.md").read_text().splitlines()
KINDS = {"Added", "Changed", "Deprecated", "Fixed", "Removed", "Security"}
RELEASE = re.compile(r"## \[(?P<version>\d+\.\d+\.\d+)\] - (?P<day>\d{4}-\d{2}-\d{2})")
SECTIONS = [line for line in LINES if line.startswith("## ")]
RELEASES = [RELEASE.fullmatch(line) for line in SECTIONS[1:]]


def test_it_begins_with_what_is_unreleased() -> None:
    assert LINES[0] == "# Changelog"
    assert SECTIONS[0] == "## [Unreleased]"


def test_releases_have_a_version_and_a_day() -> None:
    assert [section for section, found in zip(SECTIONS[1:], RELEASES, strict=True) if found is None] == []
    for found in filter(None, RELEASES):
        datetime.date.fromisoformat(found["day"])


def test_the_newest_release_comes_first() -> None:
    versions = [Version(found["version"]) for found in RELEASES if found]
    assert versions == sorted(set(versions), reverse=True)


def test_changes_stand_under_a_known_kind() -> None:
    assert [line for line in LINES if line.startswith("### ") and line.removeprefix("### ") not in KINDS] == []


def test_no_heading_is_empty() -> None:
    text = [line for line in LINES if line]
    pairs = zip(text, [*text[1:], "#"], strict=True)
    assert [head for head, after in pairs if head.startswith("### ") and after.startswith("#")] == []
