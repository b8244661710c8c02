"""deploy/nginx.conf in a real nginx, before a gateway: REST and gRPC through one port."""

import asyncio
import io
import json
import os
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import openai
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import trunkline
from certificates import Authority
from openai_client import HELLO
from repository import ROOT
from running_gateway import RunningGateway, running_gateway, settings_for
from trunkline import text_of, tls_credentials
from trunkline.context import CallContext
from trunkline.errors import BadKeyError, GatewayUnreachableError, ProviderUnavailableError, RequestTooLargeError
from trunkline.v1 import CompleteRequest
from upstream import Script, answers, fails, hangs, running_upstream, streams

CONFIG = ROOT / "deploy" / "nginx.conf"
MIB = 1024 * 1024
ASK = {"model": "m", "messages": HELLO}
JSON = {"content-type": "application/json"}
REQUEST = CompleteRequest(model="m", prompt="Hi")


@dataclass(frozen=True)
class Front:
    """A running nginx with a gateway behind it."""

    gateway: RunningGateway
    authority: Authority
    port: int

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        """Trusts its certificate."""
        return tls_credentials(ca_file=self.authority.ca_file)

    def client(self, **more: Any) -> trunkline.AsyncClient:  # noqa: ANN401 as the client takes it
        """Calls through it over gRPC."""
        return trunkline.AsyncClient(f"127.0.0.1:{self.port}", credentials=self.credentials, timeout_s=30, **more)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Calls through it over REST."""
        context = ssl.create_default_context(cafile=str(self.authority.ca_file))
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(f"https://127.0.0.1:{self.port}", connector=connector) as session:
            yield session


def fitted(replaced: Mapping[str, str]) -> str:
    """The configuration with other addresses and paths; each must be in it."""
    text = CONFIG.read_text(encoding="utf-8")
    for pattern, text_instead in replaced.items():
        text, count = re.subn(pattern, text_instead, text)
        assert count, f"{CONFIG.name} has no {pattern}"
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def nginx_before(
    rest: str, grpc_address: str, folder: Path, *, read_timeout_s: float = 660
) -> AsyncIterator[tuple[Authority, int]]:
    """An nginx of our own, its authority and its port."""
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed (Debian's package nginx)")
    authority = Authority(folder)
    pair = authority.issue("nginx")
    port = free_port()
    temporary = "".join(
        f"    {name}_temp_path {folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = fitted(
        {
            r"listen 443": f"listen 127.0.0.1:{port}",
            r"/etc/nginx/tls/tls\.crt": str(pair.cert_file),
            r"/etc/nginx/tls/tls\.key": str(pair.key_file),
            r"127\.0\.0\.1:4000": rest,
            r"127\.0\.0\.1:50051": grpc_address,
            r"read_timeout 660s": f"read_timeout {round(read_timeout_s * 1000)}ms",
            r"(?m)^http \{\n": f"http {{\n{temporary}",
        }
    )
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    own = f"daemon off; pid {folder / 'nginx.pid'}; error_log stderr warn;{' user root;' if os.getuid() == 0 else ''}"
    process = await asyncio.create_subprocess_exec(
        *(nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr", "-g", own),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await _answers_at(port, process)
        yield authority, port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _answers_at(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(10):
        while True:
            with suppress(ConnectionError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            if process.returncode is not None:
                _, told = await process.communicate()
                raise AssertionError(told.decode())
            await asyncio.sleep(0.02)


@asynccontextmanager
async def front(
    script: Script,
    folder: Path,
    *,
    read_timeout_s: float = 660,
    **settings: Any,  # noqa: ANN401 as settings_for takes it
) -> AsyncIterator[tuple[Front, Any]]:
    """nginx, a gateway, and a provider that answers by the script."""
    async with (
        running_upstream(script) as upstream,
        running_gateway(settings_for({"a": upstream.base_url}, **settings)) as gateway,
    ):
        rest = gateway.rest_url.removeprefix("http://").removesuffix("/v1")
        async with nginx_before(rest, gateway.grpc_address, folder, read_timeout_s=read_timeout_s) as (authority, port):
            yield Front(gateway, authority, port), upstream


async def test_whole_answers_come_through_on_both_surfaces(tmp_path: Path) -> None:
    async with front(answers("Hello"), tmp_path) as (nginx, _), nginx.session() as session, nginx.client() as client:
        async with session.post("/v1/chat/completions", json=ASK) as response:
            assert (await response.json())["choices"][0]["message"]["content"] == "Hello"
            assert response.headers["x-trunkline-target"] == "a/m"
        assert await client.ask("m", "Hi") == "Hello"
        async with session.get("/readyz") as ready:
            assert ready.status == 200
        async with grpc.aio.secure_channel(f"127.0.0.1:{nginx.port}", nginx.credentials) as channel:
            health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_events_come_through_one_by_one(tmp_path: Path) -> None:
    """The next word is only written once the one before it was read at the other end."""
    read = asyncio.Event()

    async def word_by_word(answer: Any) -> None:  # noqa: ANN401 a script's argument
        await answer.start_stream()
        for word in ("one ", "two ", "three"):
            await answer.frame(
                {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word}}]}
            )
            await read.wait()
            read.clear()
        await answer.frame({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        await answer.frame(b"[DONE]")
        await answer.end_stream()

    async with (
        front(word_by_word, tmp_path) as (nginx, _),
        nginx.session() as session,
        nginx.client() as client,
        asyncio.timeout(20),
    ):
        words = []
        async for text in client.stream(REQUEST).texts():
            words.append(text)
            read.set()
        assert words == ["one ", "two ", "three"]
        words = []
        async with session.post("/v1/chat/completions", json={**ASK, "stream": True}) as response:
            async for line in response.content:
                if line.startswith(b"data: {") and (delta := json.loads(line[6:])["choices"][0]["delta"]).get(
                    "content"
                ):
                    words.append(delta["content"])
                    read.set()
        assert words == ["one ", "two ", "three"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_cancels_the_providers_call(stream: bool, tmp_path: Path) -> None:
    async with front(hangs(), tmp_path) as (nginx, upstream), nginx.client() as client:
        asking = asyncio.create_task(client.complete(REQUEST))
        if stream:
            asking.cancel()
            asking = asyncio.create_task(client.stream(REQUEST).answer())
        await upstream.wait_for_calls(1)
        asking.cancel()
        await asyncio.wait((asking,))
        await upstream.wait_until_idle()

        context = ssl.create_default_context(cafile=str(nginx.authority.ca_file))
        async with (
            openai.DefaultAsyncHttpxClient(verify=context) as http,
            openai.AsyncOpenAI(base_url=f"https://127.0.0.1:{nginx.port}/v1", api_key="none", http_client=http) as sdk,
        ):
            calls = len(upstream.calls)
            posting = asyncio.ensure_future(
                sdk.post("/chat/completions", body={**ASK, "stream": stream}, cast_to=object)
            )
            await upstream.wait_for_calls(calls + 1)
            posting.cancel()
            await asyncio.wait((posting,))
            await upstream.wait_until_idle()


async def test_a_long_silence_with_heartbeats_holds(tmp_path: Path) -> None:
    """nginx would cut what is silent for a second here; the model thinks for three."""

    async def thinks(answer: Any) -> None:  # noqa: ANN401 a script's argument
        await asyncio.sleep(3)
        await streams(["at", "last"])(answer)

    settings = {"rest": {"port": 0, "early_headers_s": 0.2}, "timeouts": {"heartbeat_s": 0.2}}
    async with (
        front(thinks, tmp_path, read_timeout_s=1, **settings) as (nginx, _),
        nginx.session() as session,
        nginx.client() as client,
    ):

        async def by_rest() -> str:
            async with session.post("/v1/chat/completions", json={**ASK, "stream": True}) as response:
                return await response.text()

        streamed, text = await asyncio.gather(client.stream(REQUEST).answer(), by_rest())
        assert streamed.choices[0].message.parts[0].text == "at last"
        assert text.endswith("data: [DONE]\n\n")


async def test_errors_come_through_with_all_that_they_tell(tmp_path: Path) -> None:
    async with (
        front(fails(500, {"message": "out of order"}), tmp_path, api_key="sk-1") as (nginx, _),
        nginx.session() as session,
        nginx.client() as client,
    ):
        with pytest.raises(ProviderUnavailableError) as caught:
            await client.ask("m", "Hi")
        assert (caught.value.target, caught.value.provider_status) == ("a/m", 500)
        assert caught.value.report is not None
        assert [attempt.target for attempt in caught.value.report.attempts] == ["a/m"]
        with pytest.raises(ProviderUnavailableError):
            await client.stream(REQUEST).answer()
        async with session.post("/v1/chat/completions", json=ASK) as response:
            assert (response.status, (await response.json())["error"]["type"]) == (500, "server_error")


def asking(text: str) -> io.BytesIO:
    """A request's body."""
    return io.BytesIO(json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode())


async def test_large_messages_come_through_and_too_large_ones_are_refused_by_the_gateway(tmp_path: Path) -> None:
    text = "word " * (MIB // 2)
    limits = {"max_request_bytes": 4 * MIB}
    async with (
        front(answers(text), tmp_path, limits=limits) as (nginx, _),
        nginx.session() as session,
        nginx.client() as client,
    ):
        assert await client.ask("m", text) == text
        async with session.post("/v1/chat/completions", data=asking(text), headers=JSON) as response:
            assert (await response.json())["choices"][0]["message"]["content"] == text
        with pytest.raises(RequestTooLargeError):
            await client.ask("m", text * 2)
        async with session.post("/v1/chat/completions", data=asking(text * 2), headers=JSON) as response:
            assert response.status == 413
            assert "error" in await response.json()


async def test_a_gateway_that_is_down_is_unavailable_in_the_words_of_each_surface(tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with nginx_before(nobody, nobody, tmp_path) as (authority, port):
        credentials = tls_credentials(ca_file=authority.ca_file)
        async with trunkline.AsyncClient(f"127.0.0.1:{port}", credentials=credentials, timeout_s=10) as client:
            with pytest.raises(GatewayUnreachableError, match="no answer from the gateway"):
                await client.ask("m", "Hi")
        context = ssl.create_default_context(cafile=str(authority.ca_file))
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
            session.get(f"https://127.0.0.1:{port}/readyz") as response,
        ):
            assert response.status == 502


async def test_a_wrong_key_is_told_as_without_nginx(tmp_path: Path) -> None:
    keys = [{"name": "k", "digest": "sha256:" + "0" * 64}]
    async with front(answers("Hello"), tmp_path, keys=keys) as (nginx, _), nginx.client(api_key="no" * 12) as client:
        with pytest.raises(BadKeyError):
            await client.ask("m", "Hi")


async def test_as_much_baggage_as_there_may_be_comes_through(tmp_path: Path) -> None:
    baggage = ",".join(f"k{number}={'v' * 100}" for number in range(75))
    async with front(answers("Hello"), tmp_path) as (nginx, _), nginx.session() as session, nginx.client() as client:
        async with session.post("/v1/chat/completions", json=ASK, headers={"baggage": baggage}) as response:
            assert response.status == 200
        assert text_of(await client.complete(REQUEST, context=CallContext(baggage=baggage))) == "Hello"
