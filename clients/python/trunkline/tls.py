"""What a client trusts and what it shows of itself, read from files."""

import ssl
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import grpc

File = str | PathLike[str]


def tls_credentials(
    *, ca_file: File | None = None, cert_file: File | None = None, key_file: File | None = None
) -> grpc.ChannelCredentials:
    """For the `credentials` of a client: the gateway's certificate is checked by the roots in `ca_file`, or the
    system's, and `cert_file` with its `key_file` is shown to a gateway that asks for one. All are PEM.

    Raises ValueError where a file is missing or broken: gRPC itself would say so with the first call only.
    """
    if (cert_file is None) != (key_file is None):
        raise ValueError("a certificate and its key belong together: give both cert_file and key_file, or neither")
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file is not None:
        _try(f"{ca_file}", lambda: probe.load_verify_locations(ca_file))
    if cert_file is not None:
        _try(f"{cert_file} with {key_file}", lambda: probe.load_cert_chain(cert_file, key_file, _no_passphrase))
    roots, chain, key = (None if file is None else Path(file).read_bytes() for file in (ca_file, cert_file, key_file))
    return grpc.ssl_channel_credentials(root_certificates=roots, private_key=key, certificate_chain=chain)


def _try(files: str, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        reason = (error.reason or "not PEM").replace("_", " ").lower()
        raise ValueError(f"{files} cannot be used: {reason}") from None
    except OSError as error:
        raise ValueError(f"{files} cannot be read: {error.strerror}") from None


def _no_passphrase() -> str:
    raise ValueError("the key needs a passphrase: store it without one, where only this program may read")
