"""`trunkline check`."""

from pathlib import Path

import pytest

from trunkline_cli.main import main

CANARY = "sk-Canary-0123456789abcdef"
GOOD = f"""
keys:
  - {{name: alice, digest: "sha256:{"0" * 64}"}}
  - {{name: bob, digest: "sha256:{"1" * 64}"}}
providers:
  openai: {{kind: openai, api_key: {CANARY}}}
  local: {{kind: vllm}}
models:
  fast: {{targets: [openai/gpt-5.4, local/qwen3]}}
"""
SUMMARY = """\
ok
rest: 127.0.0.1:4000
grpc: 127.0.0.1:50051
providers: openai (openai), local (vllm)
models: fast, echo
keys: alice, bob
"""


def test_a_right_file_is_summed_up_without_its_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trunkline.yaml"
    path.write_text(GOOD)
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr() == (SUMMARY, "")


def test_an_empty_file_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trunkline.yaml"
    path.write_text("echo: false")
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.endswith("providers: none\nmodels: none\nkeys: none\n")


def test_variables_come_from_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trunkline.yaml"
    path.write_text("rest: {port: '${TEST_PORT}'}")
    assert main(["check", str(path)]) == 3
    assert capsys.readouterr() == ("", f"{path}:1:14: rest.port: the environment variable TEST_PORT is not set\n")
    monkeypatch.setenv("TEST_PORT", "4711")
    assert main(["check", str(path)]) == 0
    assert "rest: 127.0.0.1:4711\n" in capsys.readouterr().out


def test_every_problem_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trunkline.yaml"
    path.write_text(
        f"log: {{level: loud}}\nproviders:\n  p:\n    kind: opena\n    api_key: [{CANARY}]\n    tokn: {CANARY}\n"
    )
    assert main(["check", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.removeprefix(f"{path}:").partition(": is ")[0] for line in err.splitlines()] == [
        "1:14: log.level: must be 'debug', 'info', 'warning' or 'error'",
        "4:11: providers.p.kind",
        "5:5: providers.p.api_key: must be text",
        "6:5: providers.p.tokn",
    ]
    assert "Canary" not in err


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.yaml")]) == 3
    assert capsys.readouterr().err == f"{tmp_path}/none.yaml: cannot be read: No such file or directory\n"
