"""The certificates that a surface is served with, as new as their files."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from trunkline_server.config.certificates import CertificateError, Certificates, read_certificates, signature
from trunkline_server.config.settings import TlsSettings

log = logging.getLogger("trunkline.tls")


class ServedCertificates:
    """One surface's. A handshake uses those that were valid when the files were last looked at."""

    def __init__(self, surface: str, tls: TlsSettings) -> None:
        """Reads the files. Raises CertificateError. `surface` is for the log."""
        self._surface = surface
        self._tls = tls
        self._seen = signature(tls)
        self.current = read_certificates(tls)
        """Those that handshakes use."""

    def ssl_context(self) -> ssl.SSLContext:
        """For a server of asyncio."""
        front = read_certificates(self._tls).context

        # Called for every handshake, also where the client names no server.
        def choose(connection: ssl.SSLObject, _name: str | None, _front: ssl.SSLContext) -> None:
            connection.context = self.current.context

        front.sni_callback = choose
        return front

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a server of gRPC."""
        told = self.current

        # gRPC calls it from threads of its own, for every handshake; None: as before.
        def fetch() -> Any:  # noqa: ANN401 grpc's types know no None here
            nonlocal told
            current = self.current
            if current is told:
                return None
            told = current
            return _configuration(current)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(told), fetch, require_client_authentication=bool(told.client_ca)
        )

    def look(self) -> None:
        """Takes what the files hold now, if they have changed and can be served with; else the old ones stay."""
        now = signature(self._tls)
        if now == self._seen:
            return
        try:
            found: Certificates | CertificateError = read_certificates(self._tls)
        except CertificateError as error:
            found = error
        if signature(self._tls) != now:
            return  # still being written; there is a next time
        self._seen = now
        if isinstance(found, CertificateError):
            log.error(
                "the new certificates cannot be used, the old ones stay: %s.tls.%s %s",
                *(self._surface, found.setting, found.message),
            )
            return
        self.current = found
        log.info("the certificates of %s were read anew", self._surface)

    async def watch(self) -> None:
        """Looks again and again, for ever."""
        while True:
            await asyncio.sleep(self._tls.reload_s)
            await asyncio.to_thread(self.look)


@asynccontextmanager
async def served_certificates(surface: str, tls: TlsSettings) -> AsyncIterator[ServedCertificates | None]:
    """Those that the settings name, looked at again and again within the block; None for clear text."""
    if not tls:
        yield None
        return
    certificates = ServedCertificates(surface, tls)
    watching = asyncio.create_task(certificates.watch())
    try:
        yield certificates
    finally:
        watching.cancel()
        await asyncio.wait((watching,))


def _configuration(certificates: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(certificates.key, certificates.cert)], root_certificates=certificates.client_ca or None
    )
