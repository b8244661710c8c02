"""What the REST surface of a process takes over from the configuration."""

from pathlib import Path

import aiohttp
import pytest

from trunkline_bridge.settings import BridgeSettings
from trunkline_cli.run import bridge_settings
from trunkline_processes import serving
from trunkline_server.config.settings import Settings

HI = {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}
APP = "https://app.example"


@pytest.mark.parametrize(
    ("rest", "keyless", "expected"),
    [
        ({}, True, ("127.0.0.1",)),
        ({}, False, ("*",)),
        ({"host": "gateway.example"}, True, ("gateway.example",)),
        ({"allowed_hosts": ["a.example"]}, True, ("a.example",)),
        ({"allowed_hosts": ["a.example"]}, False, ("a.example",)),
        ({"allowed_hosts": ["*"]}, True, ("*",)),
    ],
)
def test_without_keys_only_known_names_are_answered(
    rest: dict[str, object], keyless: bool, expected: tuple[str, ...]
) -> None:
    settings = Settings.model_validate({"rest": rest})
    assert bridge_settings(settings, keyless=keyless).allowed_hosts == expected


def test_limits_times_and_origins_are_those_of_the_configuration() -> None:
    settings = Settings.model_validate(
        {
            "rest": {"cors_origins": [APP], "early_headers_s": 3},
            "timeouts": {"heartbeat_s": 4, "write_stall_s": 5},
            "limits": {
                "max_request_bytes": 2048,
                "max_bytes_in_flight": 4096,
                "max_messages": 7,
                "retry_after_s": 2,
            },
        }
    )
    assert bridge_settings(settings, keyless=False) == BridgeSettings(
        max_request_bytes=2048,
        max_bytes_in_flight=4096,
        max_messages=7,
        retry_after_s=2,
        early_headers_s=3,
        heartbeat_s=4,
        write_stall_s=5,
        cors_origins=(APP,),
    )


async def test_a_process_without_keys_answers_no_foreign_page(tmp_path: Path) -> None:
    config = tmp_path / "trunkline.yaml"
    config.write_text(f"rest: {{cors_origins: ['{APP}']}}\n", encoding="utf-8")
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 200),
        ({"Origin": APP}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
    ]
    async with serving("--config", str(config), "--no-probe") as process, aiohttp.ClientSession() as http:
        for headers, expected in cases:
            async with http.post(f"{process.rest_url}/v1/chat/completions", json=HI, headers=headers) as response:
                assert response.status == expected
