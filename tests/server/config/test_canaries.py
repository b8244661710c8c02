"""No secret leaves the configuration by way of an error, a summary or a repr, wherever it was put."""

from pathlib import Path

import pytest

from config_files import KINDS, load_text, problems_of
from trunkline_server.config.environment import from_environment
from trunkline_server.config.errors import ConfigError

CANARY = "sk-proj-Canary1234567890abcdef"
PROVIDER = "providers:\n  openai:\n    kind: openai\n"

# Every place where a hand in a hurry could put a secret.
MISPLACED = {
    "a list where the key belongs": f"{PROVIDER}    api_key: [{CANARY}]\n",
    "a mapping where the key belongs": f"{PROVIDER}    api_key: {{value: {CANARY}}}\n",
    "the key as a name": f"{PROVIDER}    api_key: {{{CANARY}: x}}\n",
    "a key with a space": f"{PROVIDER}    api_key: Bearer {CANARY}\n",
    "a key with a line break": f"{PROVIDER}    api_key: |\n      {CANARY}\n",
    "an unknown setting's value": f"{PROVIDER}    apikey: {CANARY}\n",
    "an unknown setting's name": f"{PROVIDER}    {CANARY}:\n",
    "an unknown setting's name, nested": f"{PROVIDER}    x:\n      {CANARY}: ${{UNSET}}\n",
    "a setting's name at the top": f"{CANARY}: 1\n{CANARY}: 2\n",
    "a missing space": f"{PROVIDER}    api_key:{CANARY}\n",
    "a missing space before another setting": f"{PROVIDER}    api_key:{CANARY}\n    models: []\n",
    "an alias": f"{PROVIDER}    api_key: *{CANARY}\n",
    "an anchor twice": f"a: &{CANARY} 1\nb: &{CANARY} 1\n",
    "a tag": f"{PROVIDER}    api_key: !{CANARY} x\n",
    "an unknown tag handle": f"{PROVIDER}    api_key: !{CANARY}!x y\n",
    "an open quote": f"{PROVIDER}    api_key: '{CANARY}\n",
    "a bad escape": f'{PROVIDER}    api_key: "\\q{CANARY}"\n',
    "a colon": f"{PROVIDER}    api_key: x: {CANARY}\n",
    "a directive": f"%{CANARY}\nlog:\n",
    "a byte that is no text": f"{PROVIDER}    api_key: {CANARY}\x07\n",
    "a variable's name": f"{PROVIDER}    api_key: ${{{CANARY}}}\n",
    "a variable's name without hyphens": f"{PROVIDER}    api_key: ${{{CANARY.replace('-', '')}}}\n",
    "a default that does not fit": f"rest: {{port: '${{PORT:-{CANARY}}}'}}\n",
    "a variable that does not fit": "rest: {port: '${SECRET}'}\nlog: {level: '${SECRET}'}\necho: ${SECRET}\n",
    "variables of all settings": "providers: {p: {kind: '${SECRET}', base_url: '${SECRET}', models: '${SECRET}'}}\n",
    "a port": f"rest: {{port: {CANARY}}}\n",
    "a host": f"rest: {{host: 'http://{CANARY}@x'}}\n",
    "a kind": f"providers: {{p: {{kind: {CANARY}}}}}\n",
    "a URL's user": f"{PROVIDER}    base_url: https://{CANARY}@api.openai.com/v1\n",
    "a URL's query": f"{PROVIDER}    base_url: https://api.openai.com/v1?key={CANARY}\n",
    "a URL's port": f"{PROVIDER}    base_url: https://api.openai.com:{CANARY}/v1\n",
    "a header's value": f"{PROVIDER}    headers: {{Authorization: Bearer {CANARY}}}\n",
    "a header's broken value": f'{PROVIDER}    headers: {{X-Key: "{CANARY}\\n"}}\n',
    "a header's name": f"{PROVIDER}    headers: {{'Authorization: Bearer {CANARY}': ''}}\n",
    "a header alone": f"{PROVIDER}    headers: 'Authorization: Bearer {CANARY}'\n",
    "the digest": f"keys:\n  - name: a\n    digest: {CANARY}\n",
    "keys by name": f"keys:\n  {CANARY}: a\n",
    "a bare key": f"keys: [{CANARY}]\n",
    "a key's name": f"keys: [{{name: '{CANARY} x'}}]\n",
    "a target": f"models: {{m: {{targets: [{CANARY}, {CANARY}/x]}}}}\n",
    "the whole file": CANARY,
    "a list of all": f"- {CANARY}\n",
    "a provider's name": f"providers: {{'{CANARY}': {{}}}}\n",
    "a model's name": f"models: {{'{CANARY}': {{}}}}\n",
    "an endpoint": f"telemetry: {{otlp_endpoint: '{CANARY}'}}\n",
}


@pytest.mark.parametrize("place", MISPLACED)
def test_a_misplaced_secret_is_not_shown(tmp_path: Path, place: str) -> None:
    problems = problems_of(tmp_path, MISPLACED[place], {"SECRET": CANARY})
    assert problems
    assert "Canary" not in "\n".join(problems)


def test_the_exception_behind_an_error_does_not_show_it_either(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, f"{PROVIDER}    api_key: [{CANARY}]\nrest: {{port: {CANARY}}}\n")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "Canary" not in repr(caught.value)


def test_settings_do_not_show_the_keys_they_hold(tmp_path: Path) -> None:
    settings = load_text(tmp_path, f"{PROVIDER}    api_key: {CANARY}\n")
    assert settings.providers["openai"].api_key.reveal() == CANARY
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert "Canary" not in shown


@pytest.mark.parametrize(
    "environment",
    [
        {"OPENAI_API_KEY": f"{CANARY}\n"},
        {"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": f"https://{CANARY}@h"},
        {"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": CANARY},
    ],
)
def test_the_environment_is_not_shown(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        from_environment(environment, KINDS)
    assert "Canary" not in str(caught.value)
