"""The flags of the commands that run a gateway, and the settings that come of them."""

import argparse
from pathlib import Path

import pytest

from trunkline.secret import Secret
from trunkline_cli.options import RunOptions
from trunkline_cli.running import add_flags, address, options_of, port, read_settings
from trunkline_server.config.settings import GrpcSettings, LogSettings, RestSettings, Settings


def parse(*line: str, rest: bool = True, grpc: bool = True, probes: bool = True) -> RunOptions:
    parser = argparse.ArgumentParser()
    add_flags(parser, rest=rest, grpc=grpc, probes=probes)
    return options_of(parser.parse_args(line))


def test_without_flags_the_configuration_decides() -> None:
    assert parse() == RunOptions()
    assert RunOptions().overrides() == {}


def test_every_flag_is_an_option() -> None:
    line = "--config f.yaml --host ::1 --rest-port 0 --grpc-port 1 --allow-unauthenticated --log-level debug --no-probe"
    assert parse(*line.split()) == RunOptions(
        config=Path("f.yaml"),
        rest_host="::1",
        grpc_host="::1",
        rest_port=0,
        grpc_port=1,
        allow_unauthenticated=True,
        log_level="debug",
        probe=False,
    )


def test_every_option_is_a_setting() -> None:
    options = RunOptions(
        rest_host="::", grpc_host="::1", rest_port=0, grpc_port=1, allow_unauthenticated=True, log_level="debug"
    )
    assert read_settings(options, {}) == Settings(
        rest=RestSettings(host="::", port=0),
        grpc=GrpcSettings(host="::1", port=1),
        allow_unauthenticated=True,
        log=LogSettings(level="debug"),
    )


def test_a_command_has_only_the_flags_of_its_surfaces() -> None:
    assert parse("--host", "::1", grpc=False, probes=False) == RunOptions(rest_host="::1", probe=False)
    assert parse("--host", "::1", rest=False) == RunOptions(grpc_host="::1")
    for line in (["--grpc-port", "1"], ["--no-probe"], ["--allow-unauthenticated"]):
        with pytest.raises(SystemExit):
            parse(*line, grpc=False, probes=False)


def test_a_file_is_read_with_the_flags_over_it(tmp_path: Path) -> None:
    path = tmp_path / "trunkline.yaml"
    path.write_text("rest: {port: 1}\ngrpc: {port: 2}\n")
    settings = read_settings(RunOptions(config=path, rest_port=3), {})
    assert settings == Settings(rest=RestSettings(port=3), grpc=GrpcSettings(port=2))


def test_without_a_file_the_environment_decides() -> None:
    settings = read_settings(RunOptions(), {"OPENAI_API_KEY": "sk-1"})
    assert settings is not None
    assert {name: provider.api_key for name, provider in settings.providers.items()} == {"openai": Secret("sk-1")}


def test_problems_go_to_standard_error_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trunkline.yaml"
    path.write_text("echo: perhaps\n")
    assert read_settings(RunOptions(config=path, rest_host="10.0.0.1", grpc_host="10.0.0.1"), {}) is None
    unsafe = (
        "only a loopback address may be served without keys: "
        "add keys, ask for client certificates (tls.client_ca_file), or set allow_unauthenticated"
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{path}: grpc.host: {unsafe} (set on the command line)",
        f"{path}: rest.host: {unsafe} (set on the command line)",
        f"{path}:1:7: echo: must be true or false",
    ]


@pytest.mark.parametrize("text", ["", "-1", "65536", "1.0", " 1", "x", "\u0661"])
def test_a_port_is_a_port(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        port(text)
    assert (port("0"), port("65535")) == (0, 65535)


@pytest.mark.parametrize("text", ["", "core", "core:", ":50051", "core:0", "core:99999", "::1:50051", "core:x"])
def test_a_core_has_an_address(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        address(text)
    assert [address(good) for good in ("core:50051", "10.0.0.1:1", "[::1]:50051")] == [
        "core:50051",
        "10.0.0.1:1",
        "[::1]:50051",
    ]
