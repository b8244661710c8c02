"""Processes on a core of their own, and what /proc says of them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.http_client import LoadError

START_TIMEOUT_S: Final = 30.0

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
# Of /proc/<pid>/stat behind the name of the command, which may hold anything; see proc_pid_stat(5).
_UTIME, _STIME = 11, 12
_POLL_S: Final = 0.005
# What would change what is measured, or send it elsewhere.
_FOREIGN: Final = ("OTEL_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_")


class MeasuredProcess:
    """A running process and its account."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._output = output

    def cpu_s(self) -> float:
        """CPU time so far, user and system, all threads, to the kernel's tick of usually 10 ms."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_S

    def rss_mb(self) -> float:
        """Resident memory, in MB of 1024 * 1024 bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise LoadError(f"process {self.pid} has ended")

    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text()

    def wait_for(self, text: str) -> str:
        """The first complete line it prints that holds `text`."""
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            for line in self.output().splitlines(keepends=True):
                if text in line and line.endswith("\n"):
                    return line.strip()
            if self._process.poll() is not None:
                break
            time.sleep(_POLL_S)
        raise LoadError(f"it did not start:\n{self.output()}")


@contextmanager
def measured_process(
    arguments: Sequence[str], *, core: int, environment: Mapping[str, str] | None = None
) -> Iterator[MeasuredProcess]:
    """`python -m <arguments>` on one core, without this shell's telemetry and proxies; ended at the end."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "output")
        with output.open("wb") as file, _on_core(core):
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**inherited, **(environment or {})},
            )
        try:
            yield MeasuredProcess(process, output)
        finally:
            # Without a farewell: it would wait for answers of an upstream that lives in this very process.
            process.kill()
            process.wait()


@contextmanager
def _on_core(core: int) -> Iterator[None]:
    """What is started here begins on that core; this thread itself goes back to where it was."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
