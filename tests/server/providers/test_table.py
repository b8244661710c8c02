"""The page on providers says what the table says."""

import re
import subprocess
import sys
from pathlib import Path

from repository import ROOT
from trunkline_server.config.loader import load
from trunkline_server.providers.kinds import KINDS

PAGE = ROOT / "docs" / "providers.md"


def test_the_tables_of_the_documentation_are_up_to_date() -> None:
    script = ROOT / "scripts" / "gen_provider_table.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_file_of_the_documentation_is_right(tmp_path: Path) -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "trunkline.yaml"
    path.write_text(block, encoding="utf-8")
    providers = load(path, {}, KINDS).providers
    assert {name: provider.kind for name, provider in providers.items()} == {
        "fast": "groq",
        "workspace": "databricks",
        "old-gateway": "litellm",
    }
