"""scripts/check_breaking.py sees a broken contract, and takes a declared one for what it is."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from repository import ROOT

HEAD = 'syntax = "proto3";\npackage trunkline.v1;\n'
YOUNG = HEAD + "message Usage { int64 input_tokens = 1; }\n"
GROWN = HEAD + "message Usage { int64 input_tokens = 1; int64 output_tokens = 2; }\n"
BROKEN = HEAD + "message Usage { string input_tokens = 1; }\n"

DECLARED = "Say tokens as text\n\nBreaking-Contract: nobody was told yet"


@dataclass(frozen=True)
class Checkout:
    """A repository that holds a contract of one message, and the script."""

    root: Path

    def write(self, proto: str) -> None:
        path = self.root / "protos/trunkline/v1/usage.proto"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(proto)

    def commit(self, proto: str, message: str = "Change the contract") -> None:
        self.write(proto)
        self.git("add", "protos", "buf.yaml")
        self.git("commit", "--message", message)

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True)

    def check(self, *arguments: str) -> tuple[int, str]:
        """The script's exit status and all it prints."""
        command = [sys.executable, str(self.root / "scripts/check_breaking.py"), *arguments]
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return ran.returncode, ran.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/check_breaking.py", tmp_path / "scripts")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    made = Checkout(tmp_path)
    made.git("init", "--initial-branch=main")
    return made


def test_growth_passes(checkout: Checkout) -> None:
    checkout.commit(YOUNG)
    checkout.commit(GROWN)
    status, output = checkout.check()
    assert status == 0
    assert "only grew" in output


def test_a_break_in_the_last_commit_fails(checkout: Checkout) -> None:
    checkout.commit(YOUNG)
    checkout.commit(BROKEN)
    status, output = checkout.check()
    assert status == 1
    assert "usage.proto" in output
    assert "addition only" in output


def test_a_break_not_yet_committed_fails(checkout: Checkout) -> None:
    checkout.commit(YOUNG)
    checkout.write(BROKEN)
    assert checkout.check()[0] == 1


def test_a_break_anywhere_on_a_branch_fails(checkout: Checkout) -> None:
    checkout.commit(YOUNG)
    checkout.git("checkout", "-b", "topic")
    checkout.commit(BROKEN)
    checkout.git("commit", "--allow-empty", "--message", "Go on")
    assert checkout.check()[0] == 1


def test_a_named_commit_is_compared_with(checkout: Checkout) -> None:
    checkout.commit(YOUNG)
    checkout.commit(BROKEN)
    checkout.git("commit", "--allow-empty", "--message", "Go on")
    assert checkout.check()[0] == 0
    assert checkout.check("HEAD~2")[0] == 1


def test_a_named_commit_must_be_there(checkout: Checkout) -> None:
    checkout.commit(YOUNG)
    assert checkout.check("v1.0") == (1, "buf breaking: there is no commit v1.0\n")


def test_a_declared_break_passes_and_is_shown(checkout: Checkout) -> None:
    checkout.commit(YOUNG)
    checkout.commit(BROKEN, DECLARED)
    status, output = checkout.check()
    assert status == 0
    assert "usage.proto" in output
    assert "nobody was told yet" in output


def test_a_declaration_excuses_no_later_break(checkout: Checkout) -> None:
    checkout.commit(BROKEN)
    checkout.commit(YOUNG, DECLARED)
    checkout.write(BROKEN)
    assert checkout.check()[0] == 1


def test_a_declaration_excuses_no_failure_of_buf(checkout: Checkout) -> None:
    checkout.commit(YOUNG)
    (checkout.root / "buf.yaml").write_text("version: v9\n")
    checkout.commit(BROKEN, DECLARED)
    status, output = checkout.check()
    assert status == 1
    assert "buf.yaml" in output


def test_the_first_commit_has_nothing_to_break(checkout: Checkout) -> None:
    checkout.commit(YOUNG)
    assert checkout.check() == (0, "buf breaking: not run, there is no commit HEAD~1\n")


def test_a_commit_before_the_contract_has_nothing_to_break(checkout: Checkout) -> None:
    checkout.git("commit", "--allow-empty", "--message", "Begin")
    checkout.commit(YOUNG)
    status, output = checkout.check()
    assert status == 0
    assert "has no protos/" in output


def test_a_shallow_clone_says_so(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> None:
    checkout.commit(YOUNG)
    checkout.commit(BROKEN)
    clone = tmp_path_factory.mktemp("clone")
    checkout.git("clone", "--depth=1", checkout.root.as_uri(), str(clone))
    shutil.copytree(checkout.root / "scripts", clone / "scripts")
    assert Checkout(clone).check() == (0, "buf breaking: not run, there is no commit HEAD~1 in this shallow clone\n")


def test_no_checkout_at_all_says_so(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    assert Checkout(tmp_path).check() == (0, "buf breaking: not run, this is not a git checkout\n")
