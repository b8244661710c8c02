# /// script
# requires-python = ">=3.11"
# # Raising grpcio-tools raises the floors in pyproject.toml: do both in one change.
# dependencies = ["grpcio-tools==1.81.1", "mypy-protobuf==5.1.0"]
# ///
"""Regenerate the Python stubs in clients/python/ from protos/.

The generator needs an environment of its own: its version is the floor of everyone who imports the
stubs, so it is older than what the gateway itself runs on. `make gen` sets that environment up.

Usage:
    python scripts/gen_protos.py           rewrite the committed stubs
    python scripts/gen_protos.py --check   fail if the committed stubs are stale
    python scripts/gen_protos.py --pins    print what the environment must hold, for pip
"""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROTOS = ROOT / "protos"
STUBS = ROOT / "clients" / "python"
PATTERNS = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def main(argument: str = "") -> None:
    if argument == "--pins":
        print("\n".join(pins()))
        return
    with tempfile.TemporaryDirectory() as tmp:
        fresh = Path(tmp)
        generate(fresh)
        new, old = stubs_in(fresh), stubs_in(STUBS)
        differ = {p for p in new & old if not filecmp.cmp(fresh / p, STUBS / p, shallow=False)}
        stale = sorted(differ | (new ^ old))
        if argument == "--check":
            if stale:
                sys.exit("\n".join(["stale stubs, run make gen:", *map(str, stale)]))
        else:
            replace(old, new, fresh)
    print(f"{len(new)} stubs, {len(stale)} changed")


def pins() -> list[str]:
    """The dependencies of this script's own header, so that they stand in one place."""
    header = Path(__file__).read_text().partition("# ///\n")[0].splitlines()[1:]
    loaded = tomllib.loads("\n".join(line.removeprefix("#").strip() for line in header))
    return [str(pin) for pin in loaded["dependencies"]]


def generate(out: Path) -> None:
    files = sorted(PROTOS.rglob("*.proto"))
    run_protoc(files, [f"--python_out={out}", f"--mypy_out=quiet:{out}"])
    # A file without a service would only yield an empty _pb2_grpc module.
    services = [f for f in files if f.stem.endswith("_service")]
    run_protoc(services, [f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"])


def run_protoc(files: list[Path], outputs: list[str]) -> None:
    """Run the protoc bundled with grpcio-tools on files below protos/."""
    # protoc looks for the mypy-protobuf plugins on PATH; they sit next to this interpreter.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *outputs]
    subprocess.run([*command, *map(str, files)], check=True, env={**os.environ, "PATH": path})


def stubs_in(root: Path) -> set[Path]:
    return {p.relative_to(root) for pattern in PATTERNS for p in root.rglob(pattern)}


def replace(old: set[Path], new: set[Path], fresh: Path) -> None:
    for path in old - new:
        (STUBS / path).unlink()
    for path in new:
        (STUBS / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(fresh / path, STUBS / path)


if __name__ == "__main__":
    main(*sys.argv[1:])
