"""The committed stubs run on the oldest runtimes that pyproject.toml lets a client install."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from repository import ROOT, pyproject

STUBS = ROOT / "clients" / "python"

# Distribution, its stubs, and where a stub says which version of it made them. Both runtimes refuse newer stubs.
STAMPS = [
    ("protobuf", "*_pb2.py", re.compile(r"^# Protobuf Python Version: (\S+)$", re.MULTILINE)),
    ("grpcio", "*_pb2_grpc.py", re.compile(r"^GRPC_GENERATED_VERSION = '(\S+)'$", re.MULTILINE)),
]


def floor_of(distribution: str) -> Version:
    """The least version of a base dependency."""
    requirements = map(Requirement, pyproject()["project"]["dependencies"])
    specifiers = next(r.specifier for r in requirements if r.name == distribution)
    return next(Version(s.version) for s in specifiers if s.operator == ">=")


@pytest.mark.parametrize(("distribution", "pattern", "stamp"), STAMPS)
def test_stubs_run_on_the_declared_floor(distribution: str, pattern: str, stamp: re.Pattern[str]) -> None:
    stamps = {path: stamp.search(path.read_text()) for path in STUBS.rglob(pattern)}
    assert stamps
    assert [path for path, found in stamps.items() if found is None] == []
    floor = floor_of(distribution)
    assert [path for path, found in stamps.items() if found and Version(found[1]) > floor] == []
