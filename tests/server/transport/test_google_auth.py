"""Tokens of Google Cloud, from a token endpoint on loopback and by the real google-auth."""

import asyncio
import json
import logging
import time
import urllib.parse
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from google_cloud import ACCOUNT, TOKEN, TokenServer, private_key, token_server, vertex, wants_token
from trunkline.errors import ProviderCredentialsError, ProviderUnavailableError
from trunkline.secret import Secret
from trunkline_server.providers.google import cloud_url
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider
from trunkline_server.transport.google_auth import REFRESH_BEFORE_S, RETRY_S, SPARE_S, GoogleTokens
from trunkline_server.transport.http import HttpTransport
from trunkline_server.values.wire import WireRequest
from upstream import Answer, running_upstream

REQUEST = WireRequest(path="/publishers/google/models/m:generateContent", body=b"{}", stream=False)


class Clock:
    """The real time, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with token_server() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(clock: Clock) -> AsyncIterator[GoogleTokens]:
    tokens = GoogleTokens(clock=clock)
    yield tokens
    await tokens.close()


async def until_idle(tokens: GoogleTokens) -> None:
    """Until nothing is being fetched."""
    await tokens.close()


async def test_fifty_callers_get_one_token_by_one_request(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path
) -> None:
    provider = vertex(server.key_file(tmp_path))
    assert tokens.at_hand(provider) == ""
    assert {await got for got in asyncio.as_completed([tokens.fetch(provider) for _ in range(50)])} == {f"{TOKEN}1"}
    assert tokens.at_hand(provider) == f"{TOKEN}1"
    [call] = server.upstream.calls
    asked = urllib.parse.parse_qs(call.body.decode())
    assert asked["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


async def test_providers_with_the_same_credentials_share_their_token(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path
) -> None:
    file = server.key_file(tmp_path)
    await tokens.fetch(vertex(file))
    assert tokens.at_hand(vertex(file, base_url="http://127.0.0.1:9/v2")) == f"{TOKEN}1"


async def test_the_loop_runs_on_while_a_token_is_fetched(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path
) -> None:
    server.held.clear()
    fetching = asyncio.create_task(tokens.fetch(vertex(server.key_file(tmp_path))))
    await server.upstream.wait_for_calls(1)  # it can only be reached if the loop, which serves it, runs
    assert not fetching.done()
    server.held.set()
    assert await fetching == f"{TOKEN}1"


async def test_a_token_is_replaced_before_it_ends_and_nobody_waits(
    server: TokenServer, tokens: GoogleTokens, clock: Clock, tmp_path: Path
) -> None:
    provider = vertex(server.key_file(tmp_path))
    await tokens.fetch(provider)
    clock.ahead_s = server.lives_s - REFRESH_BEFORE_S - 60
    assert (tokens.at_hand(provider), server.given) == (f"{TOKEN}1", 1)
    clock.ahead_s += 120
    server.held.clear()
    assert {tokens.at_hand(provider) for _ in range(50)} == {f"{TOKEN}1"}
    server.held.set()
    await until_idle(tokens)
    assert server.given == 2
    assert tokens.at_hand(provider) == f"{TOKEN}2"


async def test_a_token_that_is_about_to_end_is_not_sent(
    server: TokenServer, tokens: GoogleTokens, clock: Clock, tmp_path: Path
) -> None:
    provider = vertex(server.key_file(tmp_path))
    await tokens.fetch(provider)
    clock.ahead_s = server.lives_s - SPARE_S + 1
    assert tokens.at_hand(provider) == ""
    assert await tokens.fetch(provider) == f"{TOKEN}2"


async def test_what_fails_in_advance_is_tried_again_later_while_the_token_holds(
    server: TokenServer, tokens: GoogleTokens, clock: Clock, tmp_path: Path
) -> None:
    provider = vertex(server.key_file(tmp_path))
    await tokens.fetch(provider)
    clock.ahead_s = server.lives_s - REFRESH_BEFORE_S + 60
    server.refusal = (400, {"error": "invalid_grant"})
    for _ in range(3):
        assert tokens.at_hand(provider) == f"{TOKEN}1"
        await until_idle(tokens)
    assert server.given == 2
    server.refusal = None
    clock.ahead_s += RETRY_S + 1
    assert tokens.at_hand(provider) == f"{TOKEN}1"
    await until_idle(tokens)
    assert tokens.at_hand(provider) == f"{TOKEN}3"


async def test_a_short_token_is_not_asked_for_over_and_over(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path
) -> None:
    server.lives_s = int(REFRESH_BEFORE_S) - 60
    provider = vertex(server.key_file(tmp_path))
    await tokens.fetch(provider)
    for _ in range(3):
        assert tokens.at_hand(provider) == f"{TOKEN}1"
        await until_idle(tokens)
    assert server.given == 1


async def test_who_stops_waiting_leaves_the_others_waiting(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path
) -> None:
    provider = vertex(server.key_file(tmp_path))
    server.held.clear()
    first, second = (asyncio.create_task(tokens.fetch(provider)) for _ in range(2))
    await server.upstream.wait_for_calls(1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    server.held.set()
    assert await second == f"{TOKEN}1"
    assert server.given == 1


async def test_a_token_is_fetched_before_it_is_needed(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path
) -> None:
    provider = vertex(server.key_file(tmp_path))
    tokens.prepare(provider)
    tokens.prepare(provider)
    await until_idle(tokens)
    tokens.prepare(provider)
    assert (tokens.at_hand(provider), server.given) == (f"{TOKEN}1", 1)


async def test_without_a_file_googles_libraries_find_the_credentials(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", server.key_file(tmp_path))
    assert await tokens.fetch(vertex("")) == f"{TOKEN}1"


async def test_a_workload_identity_is_understood(server: TokenServer, tokens: GoogleTokens, tmp_path: Path) -> None:
    subject, path = tmp_path / "subject", tmp_path / "identity.json"
    subject.write_text("a.b.c", encoding="utf-8")
    identity = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{server.upstream.base_url}/token",
        "credential_source": {"file": str(subject)},
    }
    path.write_text(json.dumps(identity), encoding="utf-8")
    assert await tokens.fetch(vertex(str(path))) == f"{TOKEN}1"
    asked = urllib.parse.parse_qs(server.upstream.calls[0].body.decode())
    assert asked["subject_token"] == ["a.b.c"]


async def test_refused_credentials_are_a_failure_of_credentials(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path
) -> None:
    server.refusal = (400, {"error": "invalid_grant", "error_description": f"unknown {ACCOUNT}"})
    provider = vertex(server.key_file(tmp_path))
    with pytest.raises(ProviderCredentialsError) as caught:
        await tokens.fetch(provider)
    assert caught.value.message == (
        "provider cloud: Google refused the credentials (invalid_grant); "
        "set google_cloud.credentials_file or GOOGLE_APPLICATION_CREDENTIALS"
    )
    server.refusal = None
    assert await tokens.fetch(provider) == f"{TOKEN}2"


@pytest.mark.parametrize(
    "changes", [{"private_key": "canary"}, {"private_key": ""}, {"private_key": 7}, {"type": "canary"}, {"type": 7}]
)
async def test_unusable_credentials_are_a_failure_of_credentials(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(ProviderCredentialsError) as caught:
        await tokens.fetch(vertex(server.key_file(tmp_path, **changes)))
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.message
    assert "canary" not in caught.value.message
    assert server.given == 0


@pytest.mark.parametrize("content", [None, "", "{}", "[]", "not JSON"])
async def test_a_file_that_is_none_is_a_failure_of_credentials(
    tokens: GoogleTokens, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "canary.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ProviderCredentialsError) as caught:
        await tokens.fetch(vertex(str(path)))
    assert "canary" not in caught.value.message


async def test_a_token_endpoint_out_of_reach_is_no_failure_of_credentials(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path
) -> None:
    with pytest.raises(ProviderUnavailableError) as caught:
        await tokens.fetch(vertex(server.key_file(tmp_path, token_uri="http://127.0.0.1:9/token")))
    assert caught.value.message == "provider cloud: where Google gives tokens cannot be reached"


@pytest.mark.parametrize(("taken", "status", "calls"), [(f"{TOKEN}2", 200, 3), ("none", 401, 4)])
async def test_a_refused_token_is_replaced_once(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path, taken: str, status: int, calls: int
) -> None:
    async def whole(answer: Answer) -> None:
        await answer.json({"candidates": []})

    async with (
        running_upstream(wants_token(whole, taken)) as models,
        HttpTransport(connect_timeout_s=1, google=tokens) as http,
    ):
        provider = vertex(server.key_file(tmp_path), base_url=models.base_url)
        for _ in range(2):
            exchange = await http.open(provider, REQUEST, {})
            while await exchange.read():
                pass
            exchange.close()
            assert exchange.status == status
        assert len(models.calls) == calls


async def test_a_refusal_that_comes_late_forgets_no_newer_token(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path
) -> None:
    provider = vertex(server.key_file(tmp_path))
    old = await tokens.fetch(provider)
    tokens.forget(provider, old)
    new = await tokens.fetch(provider)
    tokens.forget(provider, old)
    assert tokens.at_hand(provider) == new


async def test_a_key_takes_the_place_of_a_token(tokens: GoogleTokens) -> None:
    async def whole(answer: Answer) -> None:
        await answer.json({"candidates": []})

    async with running_upstream(whole) as models, HttpTransport(connect_timeout_s=1, google=tokens) as http:
        provider = Provider(
            name="express", kind=KINDS["vertex"], base_url=models.base_url, api_keys=(Secret("express-key"),)
        )
        http.prepare(provider)
        (await http.open(provider, REQUEST, {})).close()
        headers = models.calls[0].headers
        assert (headers["x-goog-api-key"], headers.get("authorization")) == ("express-key", None)


@pytest.mark.parametrize(
    ("project", "location", "url"),
    [
        ("p", "global", "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global"),
        (
            "p",
            "europe-west4",
            "https://europe-west4-aiplatform.googleapis.com/v1beta1/projects/p/locations/europe-west4",
        ),
        ("p", "us", "https://aiplatform.us.rep.googleapis.com/v1beta1/projects/p/locations/us"),
        ("p", "eu", "https://aiplatform.eu.rep.googleapis.com/v1beta1/projects/p/locations/eu"),
        ("", "global", "https://aiplatform.googleapis.com/v1beta1"),
    ],
)
def test_a_project_and_a_location_are_an_address(project: str, location: str, url: str) -> None:
    assert cloud_url(project, location) == url


async def test_nothing_secret_gets_into_logs_and_messages(
    server: TokenServer, tokens: GoogleTokens, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = vertex(server.key_file(tmp_path))
    token = await tokens.fetch(provider)
    tokens.forget(provider, token)
    server.refusal = (401, {"error": "invalid_client", "error_description": f"{ACCOUNT} has no {TOKEN}"})
    with pytest.raises(ProviderCredentialsError) as caught:
        await tokens.fetch(provider)
    told = caplog.text + caught.value.message + str(caught.value)
    assert "cloud: Google refused the credentials (invalid_client)" in caplog.text
    assert [secret for secret in ("canary", ACCOUNT, TOKEN, private_key().splitlines()[1]) if secret in told] == []
