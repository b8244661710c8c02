"""Reading a whole file: what it amounts to, and what is told about one that is broken."""

from pathlib import Path

import pytest

from config_files import KINDS, load_text, problems_of
from golden_files import check_golden
from trunkline.secret import NO_SECRET, Secret
from trunkline_server.config.errors import ConfigError
from trunkline_server.config.loader import MAX_FILE_BYTES, load
from trunkline_server.config.settings import (
    GrpcSettings,
    KeySettings,
    LogSettings,
    ModelSettings,
    ProviderSettings,
    RestSettings,
    Settings,
    Timeouts,
)
from trunkline_server.config.validation import Overrides

UNSAFE = (
    "only a loopback address may be served without keys: "
    "add keys, ask for client certificates (tls.client_ca_file), or set allow_unauthenticated"
)
DIGEST = "sha256:" + "0" * 64

WHOLE = f"""
rest: {{host: 0.0.0.0, port: 8443}}
grpc:
  port: "0"                       # quoted or not, a port is a number
timeouts: {{idle_s: 2.5}}
keys:
  - name: alice
    digest: {DIGEST}
    team: yes                     # text, whatever YAML makes of it
    models: [fast, "openai/*"]
providers:
  openai:
    kind: openai
    api_key: ${{KEY}}
    headers:
      OpenAI-Organization: 12345
  local: &local
    kind: vllm
    base_url: "http://10.0.0.1:8000/v1/"
    models: [qwen3, 1e3]
  other:
    <<: *local
    base_url: http://[::1]:8000
models:
  fast: {{targets: [openai/gpt-5.4, local/qwen3, other/1e3, echo/echo]}}
log:
  level: debug
telemetry:
allow_unauthenticated: no
"""


def test_a_file_becomes_settings(tmp_path: Path) -> None:
    assert load_text(tmp_path, WHOLE, {"KEY": "sk-1"}) == Settings(
        rest=RestSettings(host="0.0.0.0", port=8443),  # noqa: S104 nothing binds to it
        grpc=GrpcSettings(port=0),
        timeouts=Timeouts(idle_s=2.5),
        keys=(KeySettings(name="alice", digest=DIGEST, team="yes", models=("fast", "openai/*")),),
        providers={
            "openai": ProviderSettings(kind="openai", api_key=Secret("sk-1"), headers={"OpenAI-Organization": "12345"}),
            "local": ProviderSettings(kind="vllm", base_url="http://10.0.0.1:8000/v1", models=("qwen3", "1e3")),
            "other": ProviderSettings(kind="vllm", base_url="http://[::1]:8000", models=("qwen3", "1e3")),
        },
        models={"fast": ModelSettings(targets=("openai/gpt-5.4", "local/qwen3", "other/1e3", "echo/echo"))},
        log=LogSettings(level="debug"),
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\ufeff", "rest:\nproviders: ~\nlog: {level: }\n", "{}"])
def test_what_is_left_empty_has_its_default(tmp_path: Path, text: str) -> None:
    assert load_text(tmp_path, text) == Settings()


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("{kind: openai}", Secret("sk-env")),
        ("{kind: openai, base_url: 'https://api.openai.com/v1/'}", Secret("sk-env")),
        ("{kind: openai, base_url: 'https://proxy.example/v1'}", NO_SECRET),
        ("{kind: openai, api_key: sk-own}", Secret("sk-own")),
        ("{kind: openai_compatible, base_url: 'https://x.example'}", NO_SECRET),
    ],
)
def test_the_usual_key_goes_to_its_vendor_only(tmp_path: Path, provider: str, expected: Secret) -> None:
    settings = load_text(tmp_path, f"providers: {{p: {provider}}}", {"OPENAI_API_KEY": "sk-env"})
    assert settings.providers["p"].api_key == expected


# Each broken file has beside it what is said about it, a line for each problem.
BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_every_problem_is_told_with_its_place(tmp_path: Path, file: Path) -> None:
    problems = problems_of(tmp_path, file.read_bytes(), {"EMPTY": ""})
    check_golden(file.with_suffix(".txt"), "".join(f"{problem}\n" for problem in problems))


# What is not YAML ends the reading: one problem, at the place where it shows.
NOT_YAML = {
    "a: b: c\n": "1:5: a colon cannot stand here: check the indentation, and quote text that holds ': '",
    "a: 1\nb\nc: 2\n": "2:1: a name needs a colon and a space after it",
    "a: 'x\nb: 1\n": "1:4: a quote is opened here and never closed",
    "a:\n\tb: 1\n": "2:1: a tab cannot stand here: indent by spaces",
    "a: @x\n": "1:4: a value cannot begin with this character: put it in quotes",
    "a: *x\n": "1:4: an alias without its anchor: put text that begins with * in quotes",
    "a: &x 1\nb: &x 1\n": "2:4: an anchor of this name exists already",
    'a: "\\q"\n': "1:6: an unknown escape: in single quotes a backslash is a backslash",
    "a: {b: ${C}}\n": "1:9: a comma or a closing bracket is missing; inside brackets and braces ${...} needs quotes",
    "- a\nb: 1\n": "2:1: the indentation does not fit the lines above",
    "a: [\n": "2:1: a value is missing",
    "a: 1\n---\nb: 1\n": "2:1: a second document: a configuration is one",
    '"\\UFFFFFFFF": 1\n': "1:4: this is not valid YAML",
    "%YAML " + "9" * 5000 + ".1\n---\n": "1:7: this is not valid YAML",
    "a: 1\nb: \x00\n": "2:4: a character that YAML does not allow",
    "[" * 100: "1:33: values are nested more than 32 deep",
}


@pytest.mark.parametrize("text", NOT_YAML)
def test_what_is_not_yaml_is_told_in_our_words(tmp_path: Path, text: str) -> None:
    assert problems_of(tmp_path, text) == [NOT_YAML[text]]


@pytest.mark.parametrize(
    "text",
    [
        # Ten to the tenth values by aliases of aliases.
        "\n".join(
            [
                "a: &a [x]",
                *(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefghi", "bcdefghij", strict=True)),
            ]
        ),
        "a: &a [*a]",
        "a: &a {<<: *a}",
        "a: &a {<<: [*a, *a, *a]}",
    ],
    ids=["laughs", "cycle", "merged cycle", "merged laughs"],
)
def test_aliases_cannot_fill_the_memory(tmp_path: Path, text: str) -> None:
    problems = problems_of(tmp_path, text)
    assert any(problem.endswith("too much: aliases repeat values too often or too deep") for problem in problems)


def test_a_file_that_cannot_be_read_is_a_problem_without_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.yaml", {}, KINDS)
    assert str(caught.value) == f"{tmp_path}/none.yaml: cannot be read: No such file or directory"
    assert problems_of(tmp_path, b"a: 1\n  \xff") == ["2:3: is not UTF-8 text"]
    assert problems_of(tmp_path, b"#" * (MAX_FILE_BYTES + 1)) == ["is larger than 1024 KiB"]


def test_overrides_win_over_the_file_and_are_checked_with_it(tmp_path: Path) -> None:
    path = tmp_path / "trunkline.yaml"
    path.write_text("rest: {host: 0.0.0.0, port: 1}\ngrpc:\nlog:\n")
    overrides: Overrides = {("rest", "host"): "localhost", ("grpc", "port"): 2, ("log", "level"): "error"}
    settings = load(path, {}, KINDS, overrides=overrides)
    assert (settings.rest, settings.grpc, settings.log) == (
        RestSettings(host="localhost", port=1),
        GrpcSettings(port=2),
        LogSettings(level="error"),
    )


def test_problems_of_overrides_have_no_line(tmp_path: Path) -> None:
    path = tmp_path / "trunkline.yaml"
    path.write_text("rest: {port: 1}\nlog: {level: error}\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {}, KINDS, overrides={("rest", "host"): "::", ("log", "level"): "loud"})
    assert caught.value.lines() == [
        f"{path}: log.level: must be 'debug', 'info', 'warning' or 'error' (set on the command line)",
        f"{path}: rest.host: {UNSAFE} (set on the command line)",
    ]
