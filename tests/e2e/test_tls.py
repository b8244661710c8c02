"""TLS on both surfaces of real processes: who is let in, what is refused, and how certificates are renewed."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

import trunkline
from certificates import Authority, Pair, serial_in, serial_of
from trunkline import tls_credentials
from trunkline.errors import GatewayUnreachableError
from trunkline.v1 import CompleteRequest
from trunkline_processes import Process, serving, trunkline_process
from upstream import hangs, running_upstream

SURFACES = ("rest", "grpc")
HI = {"model": "echo", "messages": [{"role": "user", "content": "Hello there"}]}


def hello(model: str = "echo") -> CompleteRequest:
    return CompleteRequest(model=model, prompt="Hello there")


def config_file(folder: Path, pair: Pair, *, more: str = "", provider: str = "") -> str:
    """Both surfaces with TLS; `more` goes into the TLS of both. The provider offers model "m"."""
    tls = f"{{cert_file: {pair.cert_file}, key_file: {pair.key_file}{more}}}"
    path = folder / "trunkline.yaml"
    lines = [f"rest: {{port: 0, tls: {tls}}}", f"grpc: {{port: 0, tls: {tls}}}"]
    if provider:
        lines += [
            f"providers: {{up: {{kind: openai_compatible, base_url: '{provider}', api_key: sk-1, models: [m]}}}}",
            "models: {m: {targets: [up/m]}}",
        ]
    path.write_text("\n".join(lines))
    return str(path)


@asynccontextmanager
async def serving_tls(config: str) -> AsyncIterator[Process]:
    """`trunkline serve` with this file."""
    async with trunkline_process("serve", "--config", config, "--no-probe") as process:
        process.rest_url = (await process.wait_for(r"REST on (https://\S+)/v1")).group(1)
        process.grpc_address = (await process.wait_for(r"gRPC on (\S+) \(TLS\)")).group(1)
        yield process


def context_of(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    """A client that trusts the authority and shows the certificate."""
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    if pair is not None:
        context.load_cert_chain(pair.cert_file, pair.key_file)
    return context


async def rest_answer(url: str, context: ssl.SSLContext, *, stream: bool = False) -> str:
    """What REST answers, read whole."""
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(f"{url}/v1/chat/completions", json={**HI, "stream": stream}) as response,
    ):
        return await response.text()


async def grpc_answer(address: str, authority: Authority, pair: Pair | None = None, *, model: str = "echo") -> str:
    """What gRPC answers, streamed."""
    credentials = tls_credentials(
        ca_file=authority.ca_file,
        cert_file=None if pair is None else pair.cert_file,
        key_file=None if pair is None else pair.key_file,
    )
    async with trunkline.AsyncClient(address, credentials=credentials, timeout_s=10) as client:
        return "".join([text async for text in client.stream(hello(model)).texts()])


async def served_serial(url: str, *, alpn: Sequence[str] = ()) -> int:
    """Which certificate a port shows."""
    host, _, port = re.sub("^https?://", "", url).rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return serial_of(shown)


async def test_both_surfaces_answer_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving_tls(config_file(tmp_path, authority.issue("server"))) as process:
        assert "Hello there" in await rest_answer(process.rest_url, context_of(authority))
        streamed = await rest_answer(process.rest_url, context_of(authority), stream=True)
        assert streamed.endswith("data: [DONE]\n\n")
        assert await grpc_answer(process.grpc_address, authority) == "Hello there"
        with trunkline.Client(
            process.grpc_address, credentials=tls_credentials(ca_file=authority.ca_file), timeout_s=10
        ) as client:
            assert await asyncio.to_thread(client.ask, "echo", "Hi") == "Hi"
        assert await process.end() == 0


async def test_a_client_that_leaves_over_tls_cancels_the_providers_call(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    async with (
        running_upstream(hangs()) as up,
        serving_tls(config_file(tmp_path, pair, provider=up.base_url)) as process,
    ):
        connector = aiohttp.TCPConnector(ssl=context_of(authority))
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"{process.rest_url}/v1/chat/completions"
            posting = asyncio.create_task(session.post(url, json={**HI, "model": "m"}).__aenter__())
            await up.wait_for_calls(1)
            posting.cancel()
            await up.wait_until_idle()
        asking = asyncio.create_task(grpc_answer(process.grpc_address, authority, model="m"))
        await up.wait_for_calls(2)
        asking.cancel()
        await up.wait_until_idle()
        assert await process.end() == 0


async def test_clear_text_gets_no_answer_from_a_tls_port(tmp_path: Path) -> None:
    async with serving_tls(config_file(tmp_path, Authority(tmp_path).issue("server"))) as process:
        async with trunkline.AsyncClient(process.grpc_address, timeout_s=10) as client:
            with pytest.raises(GatewayUnreachableError, match="whether it speaks TLS"):
                await client.ask("echo", "Hi")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(process.rest_url.replace("https", "http") + "/healthz")
        assert await process.end() == 0
        assert not [line for line in process.lines if "Traceback" in line]


@pytest.mark.parametrize("wrong", ["another authority", "expired", "another name"])
async def test_a_client_refuses_a_certificate_that_is_wrong(wrong: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusted = Authority(tmp_path, "other") if wrong == "another authority" else authority
    pair = authority.issue(
        "server",
        valid_for=timedelta(days=-1 if wrong == "expired" else 1),
        names=["elsewhere.test"] if wrong == "another name" else ["127.0.0.1"],
    )
    async with serving_tls(config_file(tmp_path, pair)) as process:
        with pytest.raises(aiohttp.ClientSSLError):
            await rest_answer(process.rest_url, context_of(trusted))
        with pytest.raises(GatewayUnreachableError):
            await grpc_answer(process.grpc_address, trusted)
        assert await process.end() == 0


async def test_only_clients_of_the_right_authority_are_let_in(tmp_path: Path) -> None:
    authority, clients, others = Authority(tmp_path), Authority(tmp_path, "clients"), Authority(tmp_path, "others")
    config = config_file(tmp_path, authority.issue("server"), more=f", client_ca_file: {clients.ca_file}")
    good, bad = clients.issue("good"), others.issue("bad")
    expired = clients.issue("expired", valid_for=timedelta(days=-1))
    async with serving_tls(config) as process:
        assert "Hello there" in await rest_answer(process.rest_url, context_of(authority, good))
        assert await grpc_answer(process.grpc_address, authority, good) == "Hello there"
        for shown in (None, bad, expired):
            with pytest.raises(aiohttp.ClientError):
                await rest_answer(process.rest_url, context_of(authority, shown))
            with pytest.raises(GatewayUnreachableError):
                await grpc_answer(process.grpc_address, authority, shown)
        assert await process.end() == 0
        assert len(process.entries("request")) == 2


async def test_tls_older_than_1_2_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving_tls(config_file(tmp_path, authority.issue("server"))) as process:
        for url in (process.rest_url, process.grpc_address):
            old = context_of(authority)
            old.set_ciphers("DEFAULT:@SECLEVEL=0")
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
            host, _, port = url.removeprefix("https://").rpartition(":")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection(host, int(port), ssl=old)
        assert await process.end() == 0


async def test_a_new_certificate_is_served_without_a_restart_and_a_bad_one_is_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    async with serving_tls(config_file(tmp_path, pair, more=", reload_s: 0.05")) as process:
        urls = {"rest": process.rest_url, "grpc": process.grpc_address}
        alpn = {"rest": (), "grpc": ("h2",)}

        async def served() -> set[int]:
            return {await served_serial(urls[surface], alpn=alpn[surface]) for surface in SURFACES}

        first = serial_in(pair.cert_file)
        assert await served() == {first}
        async with trunkline.AsyncClient(
            process.grpc_address, credentials=tls_credentials(ca_file=authority.ca_file)
        ) as client:
            stream = client.stream(hello())
            await anext(stream)

            pair.key_file.write_bytes(authority.issue("another").key_file.read_bytes())
            refused = {(await process.wait_for(r"old ones stay: (\w+)\.tls\.key_file is not the key")).group(1)}
            refused.add((await process.wait_for(r"old ones stay: (\w+)\.tls\.key_file is not the key")).group(1))
            assert refused == set(SURFACES)
            assert await served() == {first}

            authority.issue("server")
            for _ in SURFACES:
                await process.wait_for("were read anew")
            second = serial_in(pair.cert_file)
            assert second != first
            assert await served() == {second}
            assert (await stream.answer()).choices[0].message.parts[0].text == "Hello there"
        assert await process.end() == 0


async def test_who_stalls_in_the_handshake_is_cut_off_and_holds_nobody_up(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    config = config_file(tmp_path, authority.issue("server"), more=", handshake_timeout_s: 1")
    async with serving_tls(config) as process:
        stalled = []
        for url in (process.rest_url, process.grpc_address):
            host, _, port = url.removeprefix("https://").rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            # The head of a ClientHello, and then nothing.
            writer.write(bytes.fromhex("160301020001"))
            stalled.append((reader, writer))
        assert "Hello there" in await rest_answer(process.rest_url, context_of(authority))
        assert await grpc_answer(process.grpc_address, authority) == "Hello there"
        async with asyncio.timeout(20):
            for reader, writer in stalled:
                try:
                    while await reader.read(100):
                        pass
                except ConnectionError:
                    pass
                writer.close()
        assert await process.end() == 0


async def test_a_bridge_reaches_its_core_by_mutual_tls(tmp_path: Path) -> None:
    authority, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    config = config_file(tmp_path, authority.issue("server"), more=f", client_ca_file: {clients.ca_file}")
    shown = clients.issue("bridge")
    async with trunkline_process("core", "--config", config, "--no-probe") as core:
        address = (await core.wait_for(r"gRPC on (\S+) \(TLS\)")).group(1)
        trusting = ("--core-ca", str(authority.ca_file))
        showing = ("--core-cert", str(shown.cert_file), "--core-key", str(shown.key_file))
        for flags, status in ((trusting + showing, 200), (trusting, 503)):
            async with trunkline_process("bridge", "--core", address, "--rest-port", "0", *flags) as bridge:
                url = (await bridge.wait_for(r"REST on (http://\S+)/v1")).group(1)
                async with aiohttp.ClientSession() as session:
                    async with session.get(f"{url}/readyz") as ready:
                        assert ready.status == status
                    async with session.post(f"{url}/v1/chat/completions", json=HI) as response:
                        assert response.status == status
                assert await bridge.end() == 0
        assert await core.end() == 0


async def test_a_bridge_with_files_that_are_none_does_not_start(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.crt")
    async with trunkline_process("bridge", "--core", "127.0.0.1:9", "--core-ca", missing) as bridge:
        assert await bridge.exit_code() == 3
        assert bridge.lines == [
            f"trunkline: the core cannot be reached by TLS: {missing} cannot be read: No such file or directory\n"
        ]


async def test_client_certificates_open_other_addresses_than_loopback(tmp_path: Path) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 served with client certificates, for the length of the test
    authority = Authority(tmp_path)
    path = config_file(tmp_path, authority.issue("server"), more=f", client_ca_file: {authority.ca_file}")
    async with trunkline_process("serve", "--config", path, "--host", everywhere, "--no-probe") as process:
        await process.wait_for("try it")
        assert await process.end() == 0
    path = config_file(tmp_path, authority.issue("server"))
    async with trunkline_process("serve", "--config", path, "--host", everywhere, "--no-probe") as process:
        assert await process.exit_code() == 3
        assert "client_ca_file" in "".join(process.lines)


async def test_clear_text_stays_the_default() -> None:
    async with serving("--no-probe") as process:
        assert process.rest_url.startswith("http://")
