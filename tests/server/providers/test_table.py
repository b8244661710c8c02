"""The page on providers says what the table says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from repository import ROOT
from trunkline_server.config.loader import load
from trunkline_server.providers.kinds import KINDS

PAGE = ROOT / "docs" / "providers.md"


@pytest.mark.parametrize("name", ["gen_provider_table.py", "gen_prices.py"])
def test_what_is_generated_is_up_to_date(name: str) -> None:
    script = ROOT / "scripts" / name
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_file_of_the_documentation_is_right(tmp_path: Path) -> None:
    providers = load(written(tmp_path, blocks()[0]), {}, KINDS).providers
    assert {name: provider.kind for name, provider in providers.items()} == {
        "fast": "groq",
        "workspace": "databricks",
        "old-gateway": "litellm",
    }


def test_the_targets_of_the_documentation_are_right(tmp_path: Path) -> None:
    providers = "providers: {openai: {kind: openai}, router: {kind: openrouter}, vllm-a: {kind: vllm}}\n"
    found = [load(written(tmp_path, providers + block), {}, KINDS).targets for block in blocks()[1:]]
    *others, spoken_to = found
    assert [list(targets) for targets in others] == [["vllm-a/our-model"], ["openai/gpt-5.4"]]
    assert {name: target.dialect for name, target in spoken_to.items()} == {
        "openai/gpt-5.4": "openai_chat",
        "openai/gpt-5-mini": "openai_responses",
        "router/openai/gpt-5.6-sol": "openai_responses",
    }


def blocks() -> list[str]:
    """The files that the page shows."""
    return re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def written(folder: Path, text: str) -> Path:
    path = folder / "trunkline.yaml"
    path.write_text(text, encoding="utf-8")
    return path
