"""Google Cloud on loopback: where it gives tokens, and where its models are."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider
from upstream import Answer, Script, Upstream, running_upstream

ACCOUNT = "canary-account@example.iam.gserviceaccount.com"
TOKEN = "canary-token-"


@cache
def private_key() -> str:
    """A key of a service account that nobody has."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@dataclass
class TokenServer:
    """Gives tokens to whoever asks, one after the other: TOKEN1, TOKEN2 and so on."""

    upstream: Upstream
    lives_s: int = 3600
    refusal: tuple[int, Mapping[str, str]] | None = None
    """The status and the body of an error that it answers with instead."""
    held: threading.Event = field(default_factory=threading.Event)
    """Set: answers are given. Cleared: they wait."""

    @property
    def given(self) -> int:
        return len(self.upstream.calls)

    def key_file(self, folder: Path, **changes: object) -> str:
        """A key file of a service account whose tokens come from here."""
        path = folder / "canary-key.json"
        info = {
            "type": "service_account",
            "client_email": ACCOUNT,
            "private_key_id": "1",
            "private_key": private_key(),
            "token_uri": f"{self.upstream.base_url}/token",
            "project_id": "p",
            **changes,
        }
        path.write_text(json.dumps(info), encoding="utf-8")
        return str(path)


@asynccontextmanager
async def token_server() -> AsyncIterator[TokenServer]:
    """A running one."""

    async def script(answer: Answer) -> None:
        number = server.given
        while not server.held.is_set():  # noqa: ASYNC110 it is set by any thread
            await asyncio.sleep(0.01)
        if server.refusal is not None:
            await answer.json(server.refusal[1], server.refusal[0])
            return
        body = {
            "access_token": f"{TOKEN}{number}",
            "token_type": "Bearer",
            "expires_in": server.lives_s,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
        await answer.json(body)

    async with running_upstream(script) as upstream:
        server = TokenServer(upstream)
        server.held.set()
        try:
            yield server
        finally:
            server.held.set()


def vertex(credentials_file: str, *, base_url: str = "http://127.0.0.1:9/v1") -> Provider:
    """A provider on Google Cloud."""
    return Provider(name="cloud", kind=KINDS["vertex"], base_url=base_url, credentials_file=credentials_file)


def wants_token(script: Script, *tokens: str) -> Script:
    """Answers by `script` whoever shows one of these tokens; nobody else."""

    async def checked(answer: Answer) -> None:
        shown = answer.call.headers.get("authorization", "")
        if shown in {f"Bearer {token}" for token in tokens}:
            await script(answer)
        else:
            error = {
                "code": 401,
                "message": "Request had invalid authentication credentials.",
                "status": "UNAUTHENTICATED",
            }
            await answer.json({"error": error}, 401)

    return checked
