"""The examples run as they are."""

import asyncio
import os
import sys

import pytest

from grpc_serving import served
from repository import ROOT
from running_gateway import running_gateway, settings_for
from scripted_gateway import Batches, ScriptedGateway, batches_of
from trunkline.v1 import CompleteRequest, ErrorReason

EXAMPLES = ROOT / "clients/python/examples"

# What each prints for the prompt "a b"; async_many takes two prompts of it.
PRINTED = {
    "async_many.py": "a: echo a\nb: echo b\n",
    "complete.py": "echo a b\n",
    "stream.py": "echo a b\n0 tokens in, 2 out\n",
}


async def echo(request: CompleteRequest) -> Batches:
    """Says what it was told."""
    for batch in batches_of("echo ", request.prompt):
        yield batch


async def run_example(name: str, address: str, key: str) -> tuple[int | None, str, str]:
    """The exit code of an example, its output and its complaints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        EXAMPLES / name,
        "a",
        "b",
        env=os.environ | {"TRUNKLINE_ADDRESS": address, "TRUNKLINE_API_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*PRINTED, "session_agent.py"}


async def test_three_agents_share_a_session() -> None:
    """With the whole gateway, because its built-in model calls the tools that it is told of."""
    async with running_gateway(settings_for({})) as gateway:
        printed = await run_example("session_agent.py", gateway.grpc_address, "")
    said = ["(b said 'It' and was cancelled)", "a: It is 1 degrees in a", "b: CancelledByCallerError"]
    said.append("Oslo: Oslo in one word, please")
    assert printed == (0, "".join(f"{line}\n" for line in said), "")
    outcomes = sorted((record.failure.reason if record.failure else 0) for record in gateway.ledger.records)
    cancelled = ErrorReason.ERROR_REASON_CANCELLED
    assert outcomes == [0, 0, 0, 0, 0, cancelled, cancelled]


@pytest.mark.parametrize("name", PRINTED)
async def test_the_example_prints_the_answer(name: str) -> None:
    gateway = ScriptedGateway(echo, key="sk-1")
    async with served(gateway) as address:
        assert await run_example(name, address, "sk-1") == (0, PRINTED[name], "")
    assert {request.model for request in gateway.requests} == {"echo"}


async def test_a_failure_is_one_line() -> None:
    async with served(ScriptedGateway(echo, key="sk-1")) as address:
        assert await run_example("complete.py", address, "sk-2") == (1, "", "BadKeyError: no such key\n")
