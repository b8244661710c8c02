"""What the README tells people to type works as it stands there, save for the ports."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from trunkline_processes import serving

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
SNIPPETS = [(language, code) for language, code in BLOCKS if "Hello from" in code]
SAID = {"sh": '"content":" from"', "python": "Hello from"}


def test_the_readme_shows_curl_the_sdk_and_grpc() -> None:
    assert [language for language, _ in SNIPPETS] == ["sh", "python", "python"]


@pytest.mark.parametrize(("language", "code"), SNIPPETS)
async def test_a_snippet_of_the_readme_works(language: str, code: str) -> None:
    if language == "sh" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    async with serving("--no-probe") as process:
        rest = process.rest_url.removeprefix("http://")
        code = code.replace("127.0.0.1:4000", rest).replace("127.0.0.1:50051", process.grpc_address)
        command = ("sh", "-c", code) if language == "sh" else (sys.executable, "-c", code)
        run = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            stdout, stderr = await run.communicate()
    assert run.returncode == 0, stderr.decode()
    assert SAID[language] in stdout.decode()
