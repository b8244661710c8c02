"""The redactor takes out what may be a credential and leaves the rest readable."""

import orjson
import pytest

from trunkline_server.values.redaction import hide_secrets, redact

RUN = "Zx9Kq3Lm7Pw2Rt5Vy8Bn1Cd4"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Incorrect API key provided: sk-proj-abc123DEF.", "Incorrect API key provided: ***"),
        ("key gsk_abcdefgh123 refused", "key *** refused"),
        ("use hf_abcdefghij or r8_abcdefghij", "use *** or ***"),
        ("AIzaSyA-1234567890abcdef is invalid", "*** is invalid"),
        ("AKIAIOSFODNN7EXAMPLE is invalid", "*** is invalid"),
        ("the end of eyJhbGciOiJI.eyJzdWIiOiIx.", "the end of ***."),
        (
            "at https://example.org/? and https://example.org/a?b?c",
            "at https://example.org/? and https://example.org/a?***",
        ),
        (f"run --{RUN}-- and -------------------------", "run *** and -------------------------"),
        ("Authorization: Bearer abc.def-123", "Authorization: *** ***"),
        ("header Bearer abc.def-123 refused", "header Bearer *** refused"),
        ("token eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJ expired", "token *** expired"),
        ('{"api_key": "short1", "password":"hunter22"}', '{"api_key": "***", "password":"***"}'),
        ("at https://user:pass@example.org/path", "at https://***@example.org/path"),
        ("at https://example.org/path?key=abc&sig=def now", "at https://example.org/path?*** now"),
        ("postgres://u:p@db/x", "postgres://***@db/x"),
        (f"secret is {RUN}", "secret is ***"),
        (f"run {RUN}/{RUN}== ends", "run *** ends"),
        ("hash 0123456789abcdef0123456789abcdef", "hash ***"),
        ("two\nlines\tand \x1b[31mcolour", "two lines and  [31mcolour"),
    ],
)
def test_what_may_be_a_credential_is_taken_out(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens, but 9000 were given.",
        "The model `meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8` does not exist",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B and accounts/fireworks/models/llama-v3p1-405b-instruct",
        "See https://example.org/docs/errors#code for help.",
        "Unsupported value: 'messages[0].role' does not support 'developer' with this model.",
        "Donaudampfschifffahrtsgesellschaftskapitän",
        "request 3f2b8c1e-9d4a-4c57-8a11-0e6f5b7c9d21 failed",
        "Größe überschritten: 日本語 👋",
    ],
)
def test_words_stay(text: str) -> None:
    assert redact(text) == text


def test_a_long_text_is_cut() -> None:
    assert redact("ab " * 400, 10) == "ab ab ab …"
    assert len(redact("x " * 10_000_000)) == 500


@pytest.mark.parametrize(
    "piece", ["-", "ab-", "a.", "a/", "eyJ-", "eyJa.", "sk-", "http://", "http://a?", "://a@", "secret ", "key=is", " "]
)
def test_no_text_takes_more_than_its_length(piece: str) -> None:
    # By patterns that look again from the middle of what they found some of these took minutes.
    text = piece * (64 * 1024 // len(piece))
    assert len(hide_secrets(text)) <= 2 * len(text)


def test_json_stays_json() -> None:
    value = {"error": {"message": f"Bearer {RUN} at https://a:b@c/?k=v", "key": f"sk-{RUN}", "n": 1}}
    assert orjson.loads(redact(orjson.dumps(value).decode(), 4096))["error"]["n"] == 1
