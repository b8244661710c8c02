"""A surface's certificates as its files hold them, looked through before anybody is served with them."""

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trunkline_server.config.settings import TlsSettings

MAX_BYTES: Final = 4 * 1024 * 1024
"""Of one file; the roots that a system trusts are a quarter of a MiB."""

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class CertificateError(Exception):
    """Files that cannot be served with."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(f"{setting} {message}")
        self.setting = setting
        """The setting whose file is at fault, such as "key_file"."""
        self.message = message
        """What is wrong with it, never what it holds."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """What was read: PEM, and the same as a context for servers in Python."""

    cert: bytes
    key: bytes
    client_ca: bytes
    """Empty: clients need no certificate."""
    context: ssl.SSLContext


def read_certificates(tls: TlsSettings) -> Certificates:
    """Reads and checks the files. Raises CertificateError if one is missing or broken, or the key is another's."""
    cert, key = _read(tls, "cert_file"), _read(tls, "key_file")
    client_ca = _read(tls, "client_ca_file") if tls.client_ca_file else b""
    _certificates_in(cert, "cert_file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load_pair(context, tls)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        for certificate in _certificates_in(client_ca, "client_ca_file"):
            context.load_verify_locations(cadata=certificate)
        # Who goes on with an earlier session shows no certificate again, although its root may be gone meanwhile.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    return Certificates(cert, key, client_ca, context)


def signature(tls: TlsSettings) -> tuple[object, ...]:
    """Changes whenever one of the files is replaced or written to, or a link to it leads elsewhere."""
    return tuple(_signature(name) for name in (tls.cert_file, tls.key_file, tls.client_ca_file) if name)


def _signature(name: str) -> object:
    try:
        found = Path(name).stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(tls: TlsSettings, setting: str) -> bytes:
    try:
        with Path(getattr(tls, setting)).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a file's name"
        raise CertificateError(setting, f"cannot be read: {reason}") from None
    if len(data) > MAX_BYTES:
        raise CertificateError(setting, f"is larger than {MAX_BYTES // 1024} KiB")
    return data


def _certificates_in(pem: bytes, setting: str) -> list[bytes]:
    """Every certificate as DER: gRPC takes what it can read and leaves the rest out, so all are looked at here."""
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        found = [ssl.PEM_cert_to_DER_cert(block) for block in _blocks(pem.decode("ascii", "replace"))]
        for certificate in found:
            probe.load_verify_locations(cadata=certificate)
    except (ssl.SSLError, ValueError):
        raise CertificateError(setting, "holds a certificate that cannot be read") from None
    if not found:
        raise CertificateError(setting, "holds no certificate in PEM")
    return found


def _blocks(pem: str) -> Iterator[str]:
    for piece in pem.split(_BEGIN)[1:]:
        body, found, _ = piece.partition(_END)
        if not found:
            raise ValueError("a certificate has no end")
        yield f"{_BEGIN}{body}{_END}"


def _load_pair(context: ssl.SSLContext, tls: TlsSettings) -> None:
    def refuse_passphrase() -> str:
        raise CertificateError("key_file", "needs a passphrase: store it without one, where only the gateway may read")

    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password=refuse_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError("key_file", "is not the key of the certificate in cert_file") from None
        raise CertificateError("key_file", "holds no private key in PEM that fits the certificate") from None
