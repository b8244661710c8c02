"""What the README and the page of sessions tell people to type works as it stands there, save for the ports."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from trunkline_processes import serving

ROOT = Path(__file__).resolve().parents[2]


def blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of each."""
    return re.findall(r"```(python|sh)\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


BLOCKS = blocks("README.md")
SNIPPETS = [(language, code) for language, code in BLOCKS if "Hello from" in code]
SAID = {"sh": '"content":" from"', "python": "Hello from"}


def test_the_readme_shows_curl_the_sdk_and_grpc() -> None:
    assert [language for language, _ in SNIPPETS] == ["sh", "python", "python"]


@pytest.mark.parametrize(("language", "code"), SNIPPETS)
async def test_a_snippet_of_the_readme_works(language: str, code: str) -> None:
    if language == "sh" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = ("sh", "-c") if language == "sh" else (sys.executable, "-c")
    assert SAID[language] in await said_by(*command, code)


async def test_the_snippet_of_the_page_of_sessions_works() -> None:
    ((_, code),) = blocks("docs/sessions.md")
    said = await said_by(sys.executable, "-c", code)
    assert [line for line in said.splitlines() if "finished" in line.split()] == ["a finished ", "b finished "]


async def said_by(*command: str) -> str:
    """What it prints, its last argument being code that talks to a gateway, which runs."""
    async with serving("--no-probe") as process:
        rest = process.rest_url.removeprefix("http://")
        code = command[-1].replace("127.0.0.1:4000", rest).replace("127.0.0.1:50051", process.grpc_address)
        run = await asyncio.create_subprocess_exec(
            *command[:-1], code, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            stdout, stderr = await run.communicate()
    assert run.returncode == 0, stderr.decode()
    return stdout.decode()
