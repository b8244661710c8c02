"""Check that the contract in protos/ only grows: nothing a client may rely on is removed or changed (`buf breaking`).

Compared is the working tree, with the state it changes:
    uncommitted changes of the contract    HEAD
    a branch                               where it left main
    main itself                            the commit before
Where there is no such state (the first commit, a shallow clone) nothing is compared, and the reason is printed.

A break that must be is let through by a trailer in the message of the commit that makes it, so that it is seen in
review, stays on record, and excuses nothing else:
    Breaking-Contract: why no client is harmed, or why it must be

Usage:
    python scripts/check_breaking.py           compare as above
    python scripts/check_breaking.py COMMIT    compare with that commit, which must be there
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUF = Path(sys.executable).parent / "buf"
CONTRACT = ("protos", "buf.yaml")
MAIN_BRANCHES = ("origin/main", "main")
TRAILER = "Breaking-Contract"
BREAKS_FOUND = 100  # buf's exit status for it; a proto that does not compile has the same, and fails `buf lint` before


class NothingToCompareError(Exception):
    """There is no earlier state of the contract within reach. Its text says why."""


def main(commit: str = "") -> None:
    """Exits with status 0 if the contract only grew, a break is declared, or there is nothing to compare with."""
    try:
        base = resolve(commit) if commit else find_base()
        report = breaks_since(base)
    except NothingToCompareError as reason:
        if commit:
            sys.exit(f"buf breaking: {reason}")
        print(f"buf breaking: not run, {reason}")
        return
    if not report:
        print(f"buf breaking: the contract only grew since {base[:12]}")
        return
    print(report)
    if reasons := declared_since(base):
        print(f"buf breaking: declared by {TRAILER}: {'; '.join(reasons)}")
        return
    sys.exit(f"the contract grows by addition only; it breaks what {base[:12]} promised (see CONTRIBUTING.md)")


def find_base() -> str:
    """The commit whose contract the working tree changes."""
    if not (ROOT / ".git").exists():
        raise NothingToCompareError("this is not a git checkout")
    head = resolve("HEAD")
    if git("status", "--porcelain", "--", *CONTRACT):
        return head
    for branch in MAIN_BRANCHES:
        fork = git("merge-base", "HEAD", branch, check=False)
        if fork and fork != head:
            return fork
    return resolve("HEAD~1")


def resolve(commit: str) -> str:
    """The full name of a commit."""
    found = git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", check=False)
    if not found:
        shallow = git("rev-parse", "--is-shallow-repository") == "true"
        raise NothingToCompareError(f"there is no commit {commit}" + " in this shallow clone" * shallow)
    return found


def breaks_since(base: str) -> str:
    """What buf finds broken, a line for each; empty: nothing. Exits where buf itself fails."""
    held = git("ls-tree", "--name-only", base, *CONTRACT).split()
    if "protos" not in held:
        raise NothingToCompareError(f"{base[:12]} has no protos/")
    with tempfile.TemporaryDirectory() as tmp:
        earlier = Path(tmp) / "earlier.tar"
        git("archive", "--format=tar", f"--output={earlier}", base, *held)
        found = subprocess.run(
            [BUF, "breaking", ".", "--against", earlier], cwd=ROOT, capture_output=True, text=True, check=False
        )
    if found.returncode not in (0, BREAKS_FOUND):
        sys.exit(found.stdout + found.stderr)
    return found.stdout.strip()


def declared_since(base: str) -> list[str]:
    """The reasons given in trailers of the commits after `base`."""
    trailers = git("log", f"--format=%(trailers:key={TRAILER},valueonly,unfold)", f"{base}..HEAD")
    return [line for line in trailers.splitlines() if line]


def git(*arguments: str, check: bool = True) -> str:
    """What a git command prints; empty if it failed and `check` is false."""
    noise = None if check else subprocess.DEVNULL
    command = ["git", *arguments]
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=noise, text=True, check=check)
    return found.stdout.strip() if found.returncode == 0 else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
