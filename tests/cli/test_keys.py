"""`trunkline keys`."""

import getpass
import io

import pytest
import yaml

from trunkline.secret import Secret
from trunkline_cli.main import main
from trunkline_server.config.settings import Settings
from trunkline_server.governance.keys import KeyRing, digest_of

SECRET = "tl-Canary-0123456789abcdef"
DIGEST = digest_of(Secret(SECRET))
ENTRY = f"keys:\n  - name: alice\n    digest: {DIGEST}\n"


class Terminal(io.StringIO):
    """Standard input that somebody sits at."""

    def isatty(self) -> bool:
        return True


def test_new_prints_a_key_and_the_entry_that_recognizes_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new", "--name", "alice"]) == 0
    key, entry = capsys.readouterr().out.split("\n", 1)
    settings = Settings.model_validate(yaml.safe_load(entry))
    assert KeyRing(settings.keys).authenticate(Secret(key)).key == "alice"


@pytest.mark.parametrize("text", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n"])
def test_hash_reads_standard_input(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["keys", "hash", "--name", "alice"]) == 0
    assert capsys.readouterr() == (f"{DIGEST}\n{ENTRY}", "")


def test_hash_asks_at_a_terminal_without_showing_what_is_typed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda prompt: SECRET if prompt == "Secret: " else "")
    assert main(["keys", "hash"]) == 0
    assert capsys.readouterr().out.startswith(DIGEST)


@pytest.mark.parametrize("line", [["keys", "hash", SECRET], ["keys", "hash", "--name", "a", SECRET, "x"]])
def test_hash_takes_no_secret_from_the_command_line(
    line: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(SECRET))
    assert main(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "not taken from the command line" in err
    assert "Canary" not in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "one line of visible ASCII"),
        ("\n", "one line of visible ASCII"),
        (f"{SECRET}\n\n", "one line of visible ASCII"),
        (f"{SECRET}\nsecond", "one line of visible ASCII"),
        (f"{SECRET} x", "one line of visible ASCII"),
        (f"{SECRET}ä", "one line of visible ASCII"),
        ("Canary-too-short", "20 to 4096 characters"),
        ("x" * 4097, "20 to 4096 characters"),
        ("x" * 1_000_000, "20 to 4096 characters"),
    ],
)
def test_hash_refuses_what_is_no_secret(
    text: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["keys", "hash"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Canary" not in err
