"""What pages in a browser may do: nothing, unless their origin was allowed."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from fake_gateway import FakeGateway, greeting
from trunkline_bridge.settings import BridgeSettings

PATH = "/v1/chat/completions"
HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
APP = "https://app.example"
ASKS_FIRST = {
    "Origin": APP,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
}
OPEN = BridgeSettings(cors_origins=(APP,))
ANYBODY = BridgeSettings(cors_origins=("*",))
KEYLESS = BridgeSettings(allowed_hosts=("gateway.example",))
EXPOSED = (
    "x-request-id, x-trunkline-target, x-trunkline-attempts, x-trunkline-overhead-ms, x-trunkline-notes, "
    "retry-after, retry-after-ms, x-should-retry"
)

Serve = Callable[[FakeGateway, BridgeSettings], AbstractAsyncContextManager[str]]


@pytest.mark.parametrize("origin", [APP, "null", "http://127.0.0.1:1", "http://localhost"])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
async def test_a_foreign_page_cannot_spend(
    http: aiohttp.ClientSession, gateway: FakeGateway, origin: str, content_type: str
) -> None:
    headers = {"Origin": origin, "Content-Type": content_type}
    async with http.post(PATH, json=HI, headers=headers) as response:
        assert response.status == 403
        assert (await response.json())["error"]["code"] == "origin_not_allowed"
        assert [name for name in response.headers if name.lower().startswith("access-control")] == []
    assert gateway.calls == []


async def test_a_foreign_page_is_refused_before_it_may_ask(http: aiohttp.ClientSession) -> None:
    async with http.options(PATH, headers=ASKS_FIRST) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_gateways_own_pages_may_call(http: aiohttp.ClientSession, base_url: str, scheme: str) -> None:
    origin = f"{scheme}://{base_url.removeprefix('http://')}"
    async with http.post(PATH, json=HI, headers={"Origin": origin}) as response:
        assert response.status == 200


async def test_programs_name_no_origin_and_notice_nothing(http: aiohttp.ClientSession) -> None:
    async with http.post(PATH, json=HI) as response:
        assert response.status == 200
        assert "Vary" not in response.headers


@pytest.mark.parametrize(("settings", "allowed", "vary"), [(OPEN, APP, "Origin"), (ANYBODY, "*", None)])
async def test_an_allowed_page_asks_first_and_then_calls(
    http: aiohttp.ClientSession, allowed: str, vary: str | None
) -> None:
    async with http.options(PATH, headers=ASKS_FIRST) as response:
        assert response.status == 204
        assert {name: response.headers.get(name) for name in response.headers if name.startswith("Access-Control")} == {
            "Access-Control-Allow-Origin": allowed,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization,content-type,x-stainless-lang",
            "Access-Control-Max-Age": "600",
            "Access-Control-Expose-Headers": EXPOSED,
        }
    for stream in (False, True):
        async with http.post(PATH, json=HI | {"stream": stream}, headers={"Origin": APP}) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == allowed
            assert response.headers["Access-Control-Expose-Headers"] == EXPOSED
            assert response.headers.get("Vary") == vary
            await response.read()


@pytest.mark.parametrize("settings", [OPEN])
async def test_an_allowed_page_may_read_why_it_failed(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    gateway.key = "sk-right"
    async with http.post(PATH, json=HI, headers={"Origin": APP}) as response:
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (401, APP)
    async with http.post("/v1/nothing", json=HI, headers={"Origin": APP}) as response:
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (404, APP)


@pytest.mark.parametrize("settings", [OPEN])
async def test_allowing_one_page_allows_no_other(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    async with http.post(PATH, json=HI, headers={"Origin": f"{APP}.evil.example"}) as response:
        assert (response.status, response.headers["Vary"]) == (403, "Origin")
        assert "Access-Control-Allow-Origin" not in response.headers
    assert gateway.calls == []


async def test_options_without_a_question_of_a_browser_is_no_method(http: aiohttp.ClientSession) -> None:
    async with http.options(PATH) as response:
        assert (response.status, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("settings", [KEYLESS])
@pytest.mark.parametrize("host", ["evil.example:4000", "localhost.evil.example", "127.0.0.1.evil.example", "a.b"])
async def test_a_name_that_anyone_could_register_is_refused(
    http: aiohttp.ClientSession, gateway: FakeGateway, host: str
) -> None:
    # What DNS rebinding looks like from here: the page's origin is that of the gateway.
    async with http.post(PATH, json=HI, headers={"Host": host, "Origin": f"http://{host}"}) as response:
        assert response.status == 403
        assert (await response.json())["error"]["code"] == "host_not_allowed"
    async with http.get("/v1/models", headers={"Host": host}) as response:
        assert response.status == 403
    assert gateway.calls == []


@pytest.mark.parametrize("settings", [KEYLESS])
@pytest.mark.parametrize(
    "host",
    [
        "localhost:4000",
        "LOCALHOST.",
        "127.0.0.1",
        "[::1]:4000",
        "192.168.1.7:4000",
        "trunkline:4000",
        "host.docker.internal:4000",
        "trunkline.default.svc.cluster.local",
        "Gateway.Example",
    ],
)
async def test_names_that_lead_nowhere_else_are_fine(http: aiohttp.ClientSession, host: str) -> None:
    async with http.post(PATH, json=HI, headers={"Host": host}) as response:
        assert response.status == 200


@pytest.mark.parametrize("settings", [KEYLESS])
async def test_probes_use_whatever_name_they_like(http: aiohttp.ClientSession) -> None:
    for path in ("/healthz", "/readyz"):
        async with http.get(path, headers={"Host": "probe.example", "Origin": APP}) as response:
            assert response.status == 200


async def test_by_default_any_name_will_do(serve: Serve) -> None:
    async with (
        serve(FakeGateway(script=greeting()), BridgeSettings()) as url,
        aiohttp.ClientSession(url) as http,
        http.post(PATH, json=HI, headers={"Host": "gateway.company.example"}) as response,
    ):
        assert response.status == 200
