"""How targets are doing is told on both surfaces, to those who may use them."""

import asyncio
from typing import Any

import aiohttp
import pytest

import trunkline
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from trunkline.errors import GatewayError
from trunkline.secret import Secret
from trunkline.v1 import CompleteRequest, TargetCondition
from trunkline_server.governance.keys import digest_of
from upstream import answers, fails, hangs, running_upstream

ALL, NARROW = "tl-all-models", "tl-one-model"
KEYS = [
    {"name": "all", "digest": digest_of(Secret(ALL))},
    {"name": "narrow", "digest": digest_of(Secret(NARROW)), "models": ["m"]},
]
ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
BREAKER = {"min_samples": 2, "open_s": 60, "max_open_s": 60}
SLOW = fails(429, {"message": "slow down", "code": "rate_limit_exceeded"}, {"retry-after": "60"})


async def states(gateway: RunningGateway, *, key: str = "") -> dict[str, dict[str, Any]]:
    """What GET /health/targets tells, by target."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    url = gateway.rest_url.removesuffix("/v1") + "/health/targets"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
        assert response.status == 200
        return {state.pop("target"): state for state in (await response.json())["targets"]}


async def asked(gateway: RunningGateway, model: str, times: int) -> None:
    async with trunkline.AsyncClient(gateway.grpc_address, api_key=ALL) as client:
        for _ in range(times):
            with pytest.raises(GatewayError):
                await client.complete(CompleteRequest(model=model, prompt="Hi"))


@pytest.mark.parametrize("form", FORMS)
async def test_each_state_is_told_for_what_it_is(form: Form) -> None:
    async with (
        running_upstream(answers()) as well,
        running_upstream(fails(500, {"message": "oops"})) as down,
        running_upstream(SLOW) as throttled,
        running_upstream(fails(401, {"message": "no"})) as refused,
        running_upstream(hangs()) as busy,
    ):
        urls = {
            name: upstream.base_url
            for name, upstream in (("w", well), ("d", down), ("t", throttled), ("r", refused), ("b", busy))
        }
        settings = settings_for(urls, models={name: [f"{name}/m"] for name in urls}, breaker=BREAKER, echo=False)
        async with running_gateway(settings, form=form) as gateway:
            async with trunkline.AsyncClient(gateway.grpc_address) as client:
                await client.ask("w", "Hi")
                running = asyncio.ensure_future(client.ask("b", "Hi"))
                await busy.wait_for_calls(1)
                for model, times in (("d", 2), ("t", 1), ("r", 1)):
                    await asked(gateway, model, times)
                found = await states(gateway)
                told = await client.targets()
                running.cancel()
                await asyncio.wait((running,))
            assert [state.target for state in told] == list(found) == ["b/m", "d/m", "r/m", "t/m", "w/m"]
    conditions = {target: state["condition"] for target, state in found.items()}
    assert conditions == {"b/m": "well", "d/m": "open", "r/m": "cooling", "t/m": "cooling", "w/m": "well"}
    for state in told:
        name = TargetCondition.Name(state.condition).removeprefix("TARGET_CONDITION_").lower()
        assert name == conditions[state.target]
    assert {target: state.get("last_failure", {}).get("class") for target, state in found.items()} == {
        "b/m": None,
        "d/m": "transient",
        "r/m": "credential",
        "t/m": "throttled",
        "w/m": None,
    }
    for target in ("d/m", "r/m", "t/m"):
        assert 50_000 < found[target]["usable_in_ms"] <= 60_000
    assert (found["d/m"]["failures"], found["d/m"]["results"], found["d/m"]["in_flight"]) == (2, 2, 0)
    assert (found["r/m"]["usable_keys"], found["r/m"]["keys"]) == (0, 1)
    assert (found["b/m"]["in_flight"], found["b/m"]["usable_in_ms"]) == (1, 0)
    assert (found["w/m"]["failures"], found["w/m"]["results"], found["w/m"]["retries_left"]) == (0, 1, 10)


@pytest.mark.parametrize("form", FORMS)
async def test_a_key_is_told_of_its_own_models_only(form: Form) -> None:
    urls = {"a": "http://127.0.0.1:9/v1", "b": "http://127.0.0.1:9/v1"}
    settings = settings_for(urls, models={"m": ["a/m"], "other": ["b/o"]}, keys=KEYS, echo=False)
    async with running_gateway(settings, form=form) as gateway:
        assert list(await states(gateway, key=ALL)) == ["a/m", "b/o"]
        assert list(await states(gateway, key=NARROW)) == ["a/m"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("wait_s", "may_retry"), [(60, True), (200, False)])
async def test_while_all_targets_cool_callers_are_told_truly_when_to_come_back(
    form: Form, wait_s: int, may_retry: bool
) -> None:
    slow = fails(429, {"message": "slow", "code": "rate_limit_exceeded"}, {"retry-after": str(wait_s)})
    slower = fails(429, {"message": "slow", "code": "rate_limit_exceeded"}, {"retry-after": "250"})
    async with running_upstream(slow) as one, running_upstream(slower) as two:
        settings = settings_for({"a": one.base_url, "b": two.base_url})
        async with running_gateway(settings, form=form) as gateway, aiohttp.ClientSession() as session:
            for attempts in ("2", "0"):  # the second time nobody is asked
                async with session.post(f"{gateway.rest_url}/chat/completions", json=ASK) as response:
                    told = response.headers
                    assert response.status == 429
                    assert (await response.json())["error"]["code"] == "rate_limit_exceeded"
                assert told["x-trunkline-attempts"] == attempts
                assert wait_s - 5 <= int(told["retry-after"]) <= wait_s
                assert told.get("x-should-retry") == (None if may_retry else "false")
            assert (len(one.calls), len(two.calls)) == (1, 1)
