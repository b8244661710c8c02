"""What is measured: the gateway as `trunkline serve` runs it, and the baselines beside it."""

import hashlib
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import yaml

from benchmarks.http_client import LoadError
from benchmarks.payloads import KEY, MODEL
from benchmarks.processes import START_TIMEOUT_S, MeasuredProcess, measured_process

SAMPLED: Final = 0.01
"""Share of traces that are recorded where spans are exported."""
METRICS_EVERY_MS: Final = 5000
"""How often metrics are pushed there: more often than by default, so that each window has a push."""

_READYZ: Final = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
_POLL_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class System:
    """One process under measurement."""

    process: MeasuredProcess
    host: str
    """Where it speaks HTTP, as HOST:PORT; empty if it does not."""
    grpc_host: str = ""
    ready_cpu_s: float = 0.0
    """CPU time from its start to the first 200 of /readyz; only of the gateway."""


@contextmanager
def gateway(upstream_host: str, *, core: int, otlp_host: str = "", sampled: float = SAMPLED) -> Iterator[System]:
    """The gateway with a key and one provider, on free ports.

    With `otlp_host` it exports the metrics, and this share of its traces.
    """
    environment = {}
    if otlp_host:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{otlp_host}",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": str(sampled),
            "OTEL_METRIC_EXPORT_INTERVAL": str(METRICS_EVERY_MS),
        }
    with TemporaryDirectory() as folder:
        config = Path(folder, "trunkline.yaml")
        config.write_text(yaml.safe_dump(_config(upstream_host)))
        arguments = ("trunkline_cli.main", "serve", "--config", str(config), "--no-probe")
        with measured_process(arguments, core=core, environment=environment) as process:
            rest = _address(process.wait_for("REST on "))
            ready_cpu_s = _cpu_until_ready(process, rest)
            yield System(process, rest, _address(process.wait_for("gRPC on ")), ready_cpu_s)


@contextmanager
def bridge(core_host: str, *, core: int) -> Iterator[System]:
    """A bridge alone, in front of a gateway that speaks gRPC there."""
    with TemporaryDirectory() as folder:
        config = Path(folder, "bridge.yaml")
        config.write_text(yaml.safe_dump({"rest": {"port": 0}}))
        arguments = ("trunkline_cli.main", "bridge", "--core", core_host, "--config", str(config))
        with measured_process(arguments, core=core) as process:
            rest = _address(process.wait_for("REST on "))
            yield System(process, rest, ready_cpu_s=_cpu_until_ready(process, rest))


@contextmanager
def bare_proxy(upstream_host: str, *, core: int) -> Iterator[System]:
    """The baseline over HTTP."""
    with measured_process(("benchmarks.bare_proxy", f"http://{upstream_host}"), core=core) as process:
        yield System(process, process.wait_for(":"))


@contextmanager
def grpc_echo(*, core: int) -> Iterator[System]:
    """The baseline over gRPC."""
    with measured_process(("benchmarks.grpc_echo",), core=core) as process:
        yield System(process, "", process.wait_for(":"))


def _config(upstream_host: str) -> dict[str, object]:
    upstream = {
        "kind": "openai_compatible",
        "base_url": f"http://{upstream_host}/v1",
        "api_key": "sk-upstream",
        "models": [MODEL],
    }
    digest = f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"
    return {
        "rest": {"port": 0},
        "grpc": {"port": 0},
        "keys": [{"name": "bench", "digest": digest, "project": "benchmarks", "team": "trunkline"}],
        "providers": {"upstream": upstream},
        "models": {MODEL: {"targets": [f"upstream/{MODEL}"]}},
    }


def _address(line: str) -> str:
    found = re.search(r"[\d.]+:\d+", line)
    if found is None:
        raise LoadError(f"no address in {line!r}")
    return found.group()


def _cpu_until_ready(process: MeasuredProcess, host: str) -> float:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        if _is_ready(host):
            return process.cpu_s()
        time.sleep(_POLL_S)
    raise LoadError(f"it was not ready after {START_TIMEOUT_S:g} s:\n{process.output()}")


def _is_ready(host: str) -> bool:
    address, _, port = host.rpartition(":")
    try:
        with socket.create_connection((address, int(port)), timeout=1) as connection:
            connection.sendall(_READYZ)
            return b" 200 " in connection.recv(64)
    except OSError:
        return False
