"""GET /health/targets: how the targets are doing, as JSON."""

import aiohttp
import pytest

from fake_gateway import FakeGateway
from trunkline.v1 import TargetCondition, TargetState
from trunkline_bridge.operations import CONDITIONS

PATH = "/health/targets"


async def test_each_target_is_told_with_all_that_is_known(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    gateway.targets = [
        TargetState(target="a/m", condition=TargetCondition.TARGET_CONDITION_WELL, usable_keys=1, keys=1),
        TargetState(
            target="b/org/m",
            condition=TargetCondition.TARGET_CONDITION_OPEN,
            usable_in_ms=4200,
            usable_keys=1,
            keys=2,
            in_flight=3,
            queued=2,
            results=8,
            failures=6,
            retries_left=4,
            last_failure="transient",
            last_failure_ms_ago=0,
        ),
    ]
    async with http.get(PATH) as response:
        assert (response.status, response.headers["cache-control"]) == (200, "no-store")
        assert await response.json() == {
            "targets": [
                {
                    "target": "a/m",
                    "condition": "well",
                    "usable_in_ms": 0,
                    "usable_keys": 1,
                    "keys": 1,
                    "in_flight": 0,
                    "queued": 0,
                    "results": 0,
                    "failures": 0,
                    "retries_left": 0,
                },
                {
                    "target": "b/org/m",
                    "condition": "open",
                    "usable_in_ms": 4200,
                    "usable_keys": 1,
                    "keys": 2,
                    "in_flight": 3,
                    "queued": 2,
                    "results": 8,
                    "failures": 6,
                    "retries_left": 4,
                    "last_failure": {"class": "transient", "ms_ago": 0},
                },
            ]
        }


async def test_a_condition_newer_than_this_bridge_is_unknown(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    gateway.targets = [TargetState(target="a/m", condition=99)]  # type: ignore[arg-type] # as a newer core sends it
    async with http.get(PATH) as response:
        (found,) = (await response.json())["targets"]
    assert found["condition"] == "unknown"


def test_every_condition_has_its_word() -> None:
    assert sorted(CONDITIONS.values()) == ["cooling", "open", "probing", "well"]


@pytest.mark.parametrize("key", ["", "sk-wrong"])
async def test_it_needs_a_key(http: aiohttp.ClientSession, gateway: FakeGateway, key: str) -> None:
    gateway.key = "sk-right"
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with http.get(PATH, headers=headers) as response:
        assert response.status == 401
        assert (await response.json())["error"]["code"] == "invalid_api_key"
    async with http.get(PATH, headers={"authorization": "Bearer sk-right"}) as response:
        assert await response.json() == {"targets": []}


async def test_it_is_read_only(http: aiohttp.ClientSession) -> None:
    async with http.post(PATH) as response:
        assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")
