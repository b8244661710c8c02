"""The official `openai` package of npm, which programs in JavaScript use, against a running gateway."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from running_gateway import RunningGateway, running_gateway, settings_for
from trunkline.v1 import AttemptOutcome
from upstream import Answer, Upstream, answers, fails, running_upstream, streams

HERE = Path(__file__).parent
INSTALLED = HERE / "node_modules" / ".package-lock.json"
INSTALL_TIMEOUT_S = 70
RUN_TIMEOUT_S = 40

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Run:
    """What the script printed, and what it left behind."""

    found: dict[str, Any]
    upstream: Upstream
    gateway: RunningGateway

    def upstream_calls(self, word: str) -> list[dict[str, Any]]:
        """What the provider was sent by the scenario that says this word."""
        return [call.json for call in self.upstream.calls if word in call.body.decode()]


async def provider(answer: Answer) -> None:
    """Does what the last message says."""
    content = answer.call.json["messages"][-1]["content"]
    match content:
        case "reject":
            error = {"message": "no", "type": "invalid_request_error", "param": "messages", "code": "invalid_value"}
            await fails(400, error)(answer)
        case "quota":
            await fails(429, {"message": "pay", "type": "insufficient_quota", "code": "insufficient_quota"})(answer)
        case "forever":
            await streams(["word"], pause_s=0.01, forever=True)(answer)
        case _:
            await answers("all parts are here")(answer)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def run() -> AsyncIterator[Run]:
    """One run of the script, for all tests."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node or npm is not installed")
    if not is_installed():
        await succeed(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", timeout_s=INSTALL_TIMEOUT_S)
    async with (
        running_upstream(provider) as upstream,
        running_gateway(settings_for({"a": upstream.base_url}, models={"m": ["a/m"], "spent": ["a/spent"]})) as gateway,
    ):
        printed = await succeed(node, "exercise.mjs", gateway.rest_url, timeout_s=RUN_TIMEOUT_S)
        yield Run(json.loads(printed), upstream, gateway)


def is_installed() -> bool:
    """Whether what is installed is what the lock says: npm keeps a copy of the lock's packages beside them."""
    if not INSTALLED.is_file():
        return False
    installed = json.loads(INSTALLED.read_text(encoding="utf-8"))["packages"]
    locked = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    wanted = {name: package["integrity"] for name, package in locked.items() if name}
    return wanted == {name: package.get("integrity") for name, package in installed.items()}


async def succeed(*command: str, timeout_s: float) -> str:
    """Runs a command beside the script and gives what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=HERE,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            stdout, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, stderr.decode()
    return stdout.decode()


async def test_a_whole_answer(run: Run) -> None:
    assert run.found["chat"] == {
        "object": "chat.completion",
        "content": "Hello from Node",
        "finish_reason": "stop",
        "usage": [3, 3, 6],
        "target": "echo/echo",
        "same_request_id": True,
    }


async def test_a_stream(run: Run) -> None:
    assert run.found["stream"] == {
        "roles": ["assistant"],
        "content": "one two three",
        "finish_reasons": ["stop"],
        "ids": 1,
        "last": {"choices": [], "total_tokens": 6},
    }


async def test_tools_run_until_there_is_an_answer(run: Run) -> None:
    assert run.found["tools"] == {
        "asked": [{"city": ""}],
        "content": "sunny and warm",
        "roles": ["user", "assistant", "tool", "assistant"],
    }


async def test_structured_output_is_parsed(run: Run) -> None:
    place = {"city": "Rome", "people": 2_750_000}
    assert run.found["parse"] == {"whole": place, "streamed": place}


async def test_image_and_audio_parts_reach_the_provider(run: Run) -> None:
    assert run.found["parts"] == "all parts are here"
    (sent,) = run.upstream_calls('"parts"')
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "parts"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ]


async def test_older_completions(run: Run) -> None:
    assert run.found["completions"] == {"object": "text_completion", "text": "an older way", "streamed": "an older way"}


async def test_models(run: Run) -> None:
    assert run.found["models"] == {"listed": True, "retrieved": "echo"}


async def test_failures_are_the_packages_own_errors(run: Run) -> None:
    assert run.found["errors"] == {
        "unknown_model": {"kind": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"},
        "bad_parameter": {
            "kind": "BadRequestError",
            "status": 400,
            "code": "decimal_above_max_value",
            "param": "temperature",
        },
        "rejected": {"kind": "BadRequestError", "status": 400, "code": "invalid_value", "param": "messages"},
        "quota": {"kind": "RateLimitError", "status": 429, "code": "insufficient_quota", "param": None},
        "broken_stream": {"kind": "APIError", "status": None, "code": "provider_bad_answer", "param": None},
    }


async def test_what_cannot_get_better_is_not_asked_for_again(run: Run) -> None:
    assert len(run.upstream_calls('"quota"')) == 1


async def test_aborting_a_stream_cancels_the_provider(run: Run) -> None:
    assert run.found["abort"] >= 3
    (call,) = [call for call in run.upstream.calls if b'"forever"' in call.body]
    async with asyncio.timeout(5):
        await call.closed.wait()
    outcomes = [record.report.attempts[-1].outcome for record in run.gateway.ledger.records if record.report.attempts]
    assert AttemptOutcome.ATTEMPT_OUTCOME_CANCELLED in outcomes


async def test_fifty_at_once_get_their_own_answers(run: Run) -> None:
    assert run.found["fifty"] == 50
    assert run.gateway.core.engine.admission.requests == 0
