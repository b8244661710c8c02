"""The command line as a whole: commands, exit codes, and what is said about a wrong line."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from trunkline_cli.main import COMMANDS, main

CANARY = "sk-Canary-0123456789abcdef"


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"trunkline {version('trunkline')}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert [name for name, purpose in COMMANDS.items() if name not in out or purpose not in out] == []


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["serv"],
        ["check"],
        ["check", "a.yaml", "b.yaml"],
        ["keys"],
        ["keys", "new", "--name", "a b"],
        ["schema", "--all"],
        ["version", "x"],
        ["--config", "x", "version"],
    ],
)
def test_a_wrong_line_is_exit_code_2(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line)
    assert caught.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("line", [["schema", CANARY], ["version", f"--key={CANARY}"], ["keys", "new", CANARY]])
def test_arguments_too_many_are_not_repeated(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(line)
    captured = capsys.readouterr()
    assert "Canary" not in captured.out + captured.err


def test_schema_is_json_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["rest"]["$ref"] == "#/$defs/RestSettings"


def test_the_installed_command_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    """One real process: its exit code, its streams, and a reader that goes away early."""
    command = [sys.executable, "-m", "trunkline_cli.main"]
    (tmp_path / "trunkline.yaml").write_text("rest: {prot: 1}\n")
    broken = subprocess.run(
        [*command, "check", "trunkline.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (broken.returncode, broken.stdout, broken.stderr) == (
        3,
        "",
        'trunkline.yaml:1:8: rest.prot: is not a setting; did you mean "port"?\n',
    )
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as nobody_reads:  # noqa: PTH123 a descriptor has no path
        gone = subprocess.run([*command, "schema"], stdout=nobody_reads, stderr=subprocess.PIPE, text=True, check=False)
    assert (gone.returncode, gone.stderr) == (0, "")
