"""`trunkline serve`, `core` and `bridge` as processes: what they print, how they end, and what their callers see."""

import asyncio
import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import grpc
import openai
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import trunkline
from http2_frames import GOAWAY, frames_to
from trunkline.errors import GatewayError, GatewayUnreachableError, ShuttingDownError
from trunkline.v1 import CompleteRequest
from trunkline_processes import serving, trunkline_process
from upstream import Answer, answers, chunk, hangs, running_upstream, streams

EVERYWHERE = "0.0.0.0"  # noqa: S104 it must be refused
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
HI = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def config_file(folder: Path, base_url: str, *, more: Sequence[str] = ()) -> str:
    """A configuration with model "m" at this address."""
    lines = [
        "providers:",
        f"  up: {{kind: openai_compatible, base_url: '{base_url}', api_key: sk-canary-1}}",
        "models:",
        "  m: {targets: [up/m]}",
        *more,
    ]
    path = folder / "trunkline.yaml"
    path.write_text("\n".join(lines))
    return str(path)


async def test_without_configuration_echo_is_served_on_both_surfaces() -> None:
    async with serving("--no-probe") as process:
        await process.wait_for("try it")
        await process.wait_for(r"curl http://127.0.0.1:\d+/v1/chat")
        async with openai.AsyncOpenAI(base_url=f"{process.rest_url}/v1", api_key="none", max_retries=0) as client:
            answer = await client.chat.completions.create(
                model="echo", messages=[{"role": "user", "content": "Hello there"}]
            )
            assert answer.choices[0].message.content == "Hello there"
            assert [model.id async for model in client.models.list()] == ["echo"]
        async with trunkline.AsyncClient(process.grpc_address) as grpc_client:
            assert await grpc_client.ask("echo", "Hello there") == "Hello there"
        assert await process.end() == 0
        assert [entry["model"] for entry in process.entries("request")] == ["echo", "echo"]
        assert len(process.entries("attempt")) == 2


async def test_a_provider_whose_key_is_in_the_environment_is_offered_and_the_key_is_not_shown() -> None:
    environment = {"OPENAI_API_KEY": "sk-canary-env-1", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    async with serving(environment=environment) as process:
        await process.wait_for(r"provider openai \(openai\)")
        await process.wait_for("did not list its models")
        assert await process.end(signal.SIGINT) == 0
        assert "canary" not in "".join(process.lines)


async def test_running_requests_finish_before_the_process_ends(tmp_path: Path) -> None:
    async with (
        running_upstream(streams(["word"] * 30, pause_s=0.02)) as up,
        serving("--config", config_file(tmp_path, up.base_url)) as process,
    ):
        async with aiohttp.ClientSession() as session:
            response = await session.post(f"{process.rest_url}/v1/chat/completions", json={**HI, "stream": True})
            await response.content.readany()
            process.process.send_signal(signal.SIGTERM)
            await process.wait_for("shutting down")
            async with session.get(f"{process.rest_url}/readyz") as ready:
                assert ready.status == 503
            async with session.get(f"{process.rest_url}/healthz") as alive:
                assert alive.status == 200
            async with session.post(f"{process.rest_url}/v1/chat/completions", json=HI) as refused:
                assert refused.status == 503
            assert (await response.text()).endswith("data: [DONE]\n\n")
        assert await process.exit_code() == 0
        assert [entry["outcome"] for entry in process.entries("request")] == ["failed", "answered"]


async def test_a_draining_process_says_so_on_both_surfaces_and_open_streams_finish(tmp_path: Path) -> None:
    finish = asyncio.Event()

    async def waits(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame(chunk({"role": "assistant", "content": "first"}))
        await finish.wait()
        await answer.frame(chunk({"content": " last"}, finish_reason="stop"))
        await answer.frame(b"[DONE]")
        await answer.end_stream()

    async with (
        running_upstream(waits) as up,
        serving("--config", config_file(tmp_path, up.base_url)) as process,
        trunkline.AsyncClient(process.grpc_address) as client,
        grpc.aio.insecure_channel(process.grpc_address) as channel,
        frames_to(process.grpc_address) as frames,
        aiohttp.ClientSession() as session,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        watches = {
            name: health.Watch(health_pb2.HealthCheckRequest(service=name))
            for name in ("", "trunkline.v1.CompletionService", "trunkline.v1.ModelService")
        }
        assert [(await watch.read()).status for watch in watches.values()] == [SERVING] * len(watches)
        stream = client.stream(CompleteRequest(model="m", prompt="Hi"))
        await anext(stream)

        process.process.send_signal(signal.SIGTERM)
        assert [(await watch.read()).status for watch in watches.values()] == [NOT_SERVING] * len(watches)
        await frames.read_until(GOAWAY)
        async with session.get(f"{process.rest_url}/readyz") as ready:
            assert ready.status == 503
        with pytest.raises(GatewayError) as refused:
            await client.ask("m", "Hi")
        assert refused.value.code == grpc.StatusCode.UNAVAILABLE.value[0]

        finish.set()
        assert (await stream.answer()).choices[0].message.parts[0].text == "first last"
        assert await process.exit_code() == 0
        assert len(up.calls) == 1


async def test_what_does_not_finish_in_time_ends_with_a_typed_error(tmp_path: Path) -> None:
    more = ["timeouts: {shutdown_grace_s: 0.3}"]
    async with (
        running_upstream(streams(["word"], pause_s=0.01, forever=True)) as up,
        serving("--config", config_file(tmp_path, up.base_url, more=more)) as process,
    ):
        async with aiohttp.ClientSession() as session, trunkline.AsyncClient(process.grpc_address) as client:
            response = await session.post(f"{process.rest_url}/v1/chat/completions", json={**HI, "stream": True})
            stream = client.stream(CompleteRequest(model="m", prompt="Hi"))
            await anext(stream)
            process.process.send_signal(signal.SIGTERM)
            text = await response.text()
            with pytest.raises(ShuttingDownError):
                await stream.answer()
        assert json.loads(text.splitlines()[-2].removeprefix("data: "))["error"]["code"] is not None
        assert "[DONE]" not in text
        assert await process.exit_code() == 0
        await up.wait_until_idle()
        reasons = {(entry["status"], entry.get("reason")) for entry in process.entries("request")}
        assert len(reasons) == 1


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with (
        running_upstream(hangs()) as up,
        serving("--config", config_file(tmp_path, up.base_url)) as process,
        trunkline.AsyncClient(process.grpc_address) as client,
    ):
        asking = asyncio.ensure_future(client.ask("m", "Hi"))
        await up.wait_for_calls(1)
        process.process.send_signal(signal.SIGTERM)
        await process.wait_for("shutting down")
        assert await process.end() == -signal.SIGTERM
        with pytest.raises(GatewayUnreachableError):
            await asking


@pytest.mark.parametrize("surface", ["rest", "grpc"])
async def test_a_port_in_use_is_one_clear_line(surface: str) -> None:
    async with serving("--no-probe") as first:
        port = (first.rest_url if surface == "rest" else first.grpc_address).rpartition(":")[2]
        ports = {"rest": "0", "grpc": "0", surface: port}
        command = ("serve", "--rest-port", ports["rest"], "--grpc-port", ports["grpc"], "--no-probe")
        async with trunkline_process(*command) as second:
            assert await second.exit_code() == 3
            (line,) = second.lines
            assert re.match(
                rf"trunkline: cannot listen for (REST|gRPC) on 127.0.0.1:{port}: Address already in use; ", line
            )


async def test_a_broken_configuration_is_told_whole_and_without_secrets(tmp_path: Path) -> None:
    more = ["rest: {port: canary-2}", "limitz: {}"]
    path = config_file(tmp_path, "http://127.0.0.1:9/v1", more=more)
    async with trunkline_process("serve", "--config", path) as process:
        assert await process.exit_code() == 3
        assert [re.sub(r".*yaml:", "", line).partition(": ")[0] for line in process.lines] == ["5:14", "6:1"]
        assert "canary" not in "".join(process.lines)


async def test_core_and_bridge_work_apart(tmp_path: Path) -> None:
    async with running_upstream(answers("from afar")) as up:
        command = ("core", "--grpc-port", "0", "--config", config_file(tmp_path, up.base_url))
        async with trunkline_process(*command) as core:
            address = (await core.wait_for(r"gRPC on (\S+)")).group(1)
            async with trunkline_process("bridge", "--core", address, "--rest-port", "0") as bridge:
                rest_url = (await bridge.wait_for(r"REST on (http://\S+)/v1")).group(1)
                async with openai.AsyncOpenAI(base_url=f"{rest_url}/v1", api_key="none", max_retries=0) as client:
                    answer = await client.chat.completions.create(
                        model="m", messages=[{"role": "user", "content": "Hi"}]
                    )
                    assert answer.choices[0].message.content == "from afar"
                async with aiohttp.ClientSession() as session:
                    async with session.get(f"{rest_url}/readyz") as ready:
                        assert ready.status == 200
                    assert await core.end() == 0
                    async with session.get(f"{rest_url}/readyz") as unready:
                        assert unready.status == 503
                    async with session.post(f"{rest_url}/v1/chat/completions", json=HI) as failed:
                        assert failed.status == 503
                assert await bridge.end() == 0
            (entry,) = core.entries("request")
            assert entry["client"] == "127.0.0.1"


async def test_a_bridge_finishes_what_runs_and_turns_away_the_rest(tmp_path: Path) -> None:
    async with running_upstream(streams(["word"] * 30, pause_s=0.02)) as up:
        command = ("core", "--grpc-port", "0", "--config", config_file(tmp_path, up.base_url))
        async with trunkline_process(*command) as core:
            address = (await core.wait_for(r"gRPC on (\S+)")).group(1)
            async with trunkline_process("bridge", "--core", address, "--rest-port", "0") as bridge:
                rest_url = (await bridge.wait_for(r"REST on (http://\S+)/v1")).group(1)
                async with aiohttp.ClientSession() as session:
                    response = await session.post(f"{rest_url}/v1/chat/completions", json={**HI, "stream": True})
                    await response.content.readany()
                    bridge.process.send_signal(signal.SIGTERM)
                    await bridge.wait_for("shutting down")
                    async with session.get(f"{rest_url}/readyz") as ready:
                        assert ready.status == 503
                    assert (await response.text()).endswith("data: [DONE]\n\n")
                assert await bridge.exit_code() == 0


async def test_without_keys_only_loopback_is_served() -> None:
    async with trunkline_process("serve", "--host", EVERYWHERE, "--rest-port", "0", "--grpc-port", "0") as process:
        assert await process.exit_code() == 3
        assert "keys" in "".join(process.lines)
