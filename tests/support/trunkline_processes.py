"""`trunkline` as a process of its own, for tests of what its operator sees."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

START_TIMEOUT_S = 30


@dataclass
class Process:
    """A running `trunkline`."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    rest_url: str = ""
    grpc_address: str = ""

    async def wait_for(self, pattern: str) -> re.Match[str]:
        """Reads on until a line matches."""
        assert self.process.stderr is not None
        async with asyncio.timeout(START_TIMEOUT_S):
            while line := (await self.process.stderr.readline()).decode():
                self.lines.append(line)
                if match := re.search(pattern, line):
                    return match
        raise AssertionError(f"no line matched {pattern}: {self.lines}")

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and gives the exit code."""
        self.process.send_signal(number)
        return await self.exit_code()

    async def exit_code(self) -> int:
        """Waits for the end; the rest of standard error goes to `lines`."""
        async with asyncio.timeout(START_TIMEOUT_S):
            _, stderr = await self.process.communicate()
        self.lines += stderr.decode().splitlines(keepends=True)
        assert self.process.returncode is not None
        return self.process.returncode

    def entries(self, kind: str) -> list[dict[str, object]]:
        """The ledger's lines of a kind."""
        found = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [entry for entry in found if entry["kind"] == kind]


@asynccontextmanager
async def trunkline_process(*arguments: str, environment: dict[str, str] | None = None) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "trunkline_cli.main", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def serving(*arguments: str, **more: dict[str, str]) -> AsyncIterator[Process]:
    """`trunkline serve` on free ports."""
    async with trunkline_process("serve", "--rest-port", "0", "--grpc-port", "0", *arguments, **more) as process:
        process.rest_url = (await process.wait_for(r"REST on (http://\S+)/v1")).group(1)
        process.grpc_address = (await process.wait_for(r"gRPC on (\S+)")).group(1)
        yield process
