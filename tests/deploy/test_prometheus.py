"""A real Prometheus scrapes the gateway: every panel's and every alert's expression finds data there."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
import yaml

from chat_spelling import ChatSpelling
from faults import Faults, Tokens
from openai_client import HELLO
from repository import ROOT
from running_gateway import RunningGateway, running_gateway, settings_for
from upstream import Answer, Script, chunk, completion, in_turn, running_upstream

DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "trunkline.json"

PATIENCE_S = 90.0
SCRAPE_INTERVAL_S = 0.5
RATE_INTERVAL = "5s"
_THRESHOLD = re.compile(r"\s(?:>=|==|>|<)\s[0-9.]+$")


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian's package prometheus)")
    return found


def alerts() -> dict[str, str]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def panels() -> Iterator[tuple[str, str]]:
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']}: {target['legendFormat']}", target["expr"]


def test_the_rules_and_the_configuration_are_valid() -> None:
    promtool = program("promtool")
    for command in (
        ["check", "rules", str(ALERTS)],
        ["check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")],
    ):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_up_to_date() -> None:
    script = ROOT / "scripts" / "gen_dashboard.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_compose_mounts_is_there() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    mounts = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())]
    assert mounts
    assert [mount for mount in mounts if not (DEPLOY / mount).exists()] == []
    assert (DEPLOY / "Dockerfile").is_file()


async def test_every_panel_and_alert_finds_data(tmp_path: Path) -> None:
    prometheus = program("prometheus")
    async with busy_gateway() as gateway, scraping(prometheus, tmp_path, gateway) as url:
        wanted = dict(panels())
        for name, expression in alerts().items():
            wanted[name], changes = _THRESHOLD.subn("", expression)
            assert changes == 1, f"{name} compares with nothing"
        busy = asyncio.create_task(keep_busy(gateway))
        try:
            empty = await without_data(url, wanted)
        finally:
            busy.cancel()
            await asyncio.wait((busy,))
    assert empty == []


async def without_data(url: str, wanted: Mapping[str, str]) -> list[str]:
    """The names of those expressions that find nothing however many scrapes there are."""
    loop = asyncio.get_running_loop()
    empty, until = list(wanted), loop.time() + PATIENCE_S
    while empty and loop.time() < until:
        await asyncio.sleep(SCRAPE_INTERVAL_S)  # nobody tells of a scrape
        with suppress(aiohttp.ClientConnectionError):  # until it listens
            empty = [name for name in empty if not await ask(url, wanted[name])]
    return empty


@asynccontextmanager
async def busy_gateway() -> AsyncIterator[RunningGateway]:
    """A gateway whose providers bring about whatever is counted."""
    faults = Faults(ChatSpelling(), "m", Tokens(11, 60))
    unwell: Script = in_turn(*[faults.refuses(500), faults.well(), faults.cut(), faults.well()] * 200)

    async def priced(answer: Answer) -> None:
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12, "cost": 0.00001}
        if answer.call.json.get("stream"):
            await answer.start_stream()
            await answer.frame(chunk({"role": "assistant", "content": "hi"}))
            await answer.frame(chunk({}, finish_reason="stop", usage=usage))
            await answer.end_stream()
        else:
            await answer.json({**completion("hi"), "usage": usage})

    async with (
        running_upstream(unwell) as first,
        running_upstream(faults.well()) as second,
        running_upstream(priced) as third,
        running_upstream(faults.refuses(401)) as refused,
    ):
        urls = {"a": first.base_url, "b": second.base_url, "c": third.base_url, "d": refused.base_url}
        settings = settings_for(
            urls,
            models={"m": ["a/m", "b/m"], "paid": ["c/m"], "locked": ["d/m"]},
            retries={"max_retries": 1, "backoff_s": 0.01},
            targets={"b/m": {"prefill": True}},
            breaker={"min_samples": 10_000},
        )
        providers = dict(settings.providers)
        providers["c"] = providers["c"].model_copy(update={"kind": "openrouter"})
        async with running_gateway(settings.model_copy(update={"providers": providers})) as gateway:
            yield gateway


async def keep_busy(gateway: RunningGateway) -> None:
    """Until it is cancelled."""
    async with aiohttp.ClientSession() as session:
        number = 0
        while True:
            number += 1
            body = {"model": ("m", "m", "paid", "locked")[number % 4], "messages": HELLO, "stream": number % 3 > 0}
            async with session.post(f"{gateway.rest_url}/chat/completions", json=body) as response:
                await response.read()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def scraping(prometheus: str, directory: Path, gateway: RunningGateway) -> AsyncIterator[str]:
    """A Prometheus of our own that scrapes the gateway each half second."""
    host = gateway.rest_url.removeprefix("http://").removesuffix("/v1")
    config = {
        "global": {"scrape_interval": f"{SCRAPE_INTERVAL_S * 1000:.0f}ms"},
        "scrape_configs": [{"job_name": "trunkline", "static_configs": [{"targets": [host]}]}],
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        prometheus,
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def ask(url: str, expression: str) -> list[object]:
    query = expression.replace("$__rate_interval", RATE_INTERVAL)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/api/v1/query", params={"query": query}) as response,
    ):
        answer = await response.json()
    assert answer["status"] == "success", f"{query}: {answer}"
    result: list[object] = answer["data"]["result"]
    return result
