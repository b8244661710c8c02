"""New connections over TLS, against certificates made for the test."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from trunkline.errors import ProviderUnavailableError
from trunkline_server.providers.kinds import ProviderKind
from trunkline_server.providers.target import Provider
from trunkline_server.transport.http import HttpTransport
from trunkline_server.values.wire import WireRequest

KIND = ProviderKind(name="openai_compatible", dialect="openai_chat")
REQUEST = WireRequest(path="/chat/completions", body=b"{}", stream=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "provider.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def tls_provider(certificate: Path) -> AsyncIterator[Provider]:
    """A provider that answers each request over TLS with what it was sent by."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        try:
            while await reader.readuntil(b"{}"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(spoken), spoken.encode()))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        yield Provider(name="p", kind=KIND, base_url=f"https://127.0.0.1:{port}/v1", api_keys=(), headers={})


async def test_a_provider_over_tls_is_spoken_to_in_http_1_1_and_again(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with tls_provider(certificate) as provider, HttpTransport(connect_timeout_s=1) as transport:
        for _ in range(3):
            exchange = await transport.open(provider, REQUEST, {})
            assert (await exchange.read(), await exchange.read()) == (b"http/1.1", b"")


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    async with tls_provider(certificate) as provider, HttpTransport(connect_timeout_s=1) as transport:
        with pytest.raises(ProviderUnavailableError, match="its TLS certificate is not valid"):
            await transport.open(provider, REQUEST, {})


async def test_a_server_that_does_not_speak_tls_fails_the_handshake() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, HttpTransport(connect_timeout_s=1) as http:
        port = server.sockets[0].getsockname()[1]
        provider = Provider(name="p", kind=KIND, base_url=f"https://127.0.0.1:{port}", api_keys=(), headers={})
        with pytest.raises(ProviderUnavailableError, match="the TLS handshake failed"):
            await http.open(provider, REQUEST, {})
