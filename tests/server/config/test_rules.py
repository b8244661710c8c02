"""What single values may be."""

import pytest
from pydantic_core import PydanticCustomError

from trunkline.secret import NO_SECRET, Secret
from trunkline_server.config.checks import is_loopback
from trunkline_server.config.rules import (
    RESERVED_HEADERS,
    check_header,
    check_header_name,
    check_host,
    check_origin,
    check_secret,
    check_text,
    normalize_url,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ""),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/v1//", "http://[::1]:8000/v1"),
        ("HTTPS://h/a@b", "HTTPS://h/a@b"),
    ],
)
def test_urls_lose_the_slash_at_their_end(url: str, expected: str) -> None:
    assert normalize_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com/v1",
        "ftp://h",
        "http://",
        "http:///v1",
        "http://user@h",
        "http://user:pw@h",
        "http://h/v1?key=1",
        "http://h/v1?",
        "http://h/v1#x",
        "http://h:99999",
        "http://h:x",
        "http://[::1",
        "http://h/a b",
        "http://h\n/",
        "http://h\\@evil",
        "http://höst",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(PydanticCustomError):
        normalize_url(url)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0.0.0.0", "::", "::1", "gateway.internal", "fe80::1%eth0"])  # noqa: S104 nothing binds to it
def test_hosts_are_names_and_addresses(host: str) -> None:
    assert check_host(host) == host


@pytest.mark.parametrize("host", ["", " ", "h:80", "127.0.0.1:4000", "[::1]", "http://h", "h/x", "a b", "h\n", "u@h"])
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(PydanticCustomError):
        check_host(host)


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_recognized(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "10.0.0.1", "localhost.example", "::ffff:10.0.0.1", "", "127.0.0.1.example"],  # noqa: S104 nothing binds to it
)
def test_nothing_else_is_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("origin", ["*", "https://app.example", "http://localhost:5173", "chrome-extension://abc"])
def test_origins_are_what_browsers_send(origin: str) -> None:
    assert check_origin(origin) == origin


def test_origins_are_in_small_letters() -> None:
    assert check_origin("HTTPS://App.Example") == "https://app.example"


@pytest.mark.parametrize(
    "origin",
    ["", "null", "app.example", "https://", "https://app.example/", "https://*.example/x", "https://u@h", "a b://c"],
)
def test_other_origins_are_refused(origin: str) -> None:
    with pytest.raises(PydanticCustomError):
        check_origin(origin)


def test_secrets_are_wrapped() -> None:
    assert check_secret("sk-1") == Secret("sk-1")
    assert check_secret(Secret("sk-1")) == Secret("sk-1")
    assert check_secret("") is NO_SECRET


@pytest.mark.parametrize(
    "value", [1, None, ["sk"], {"a": "sk"}, "a b", "sk\n", "sk\r\nX: y", "schlüssel", "\x00", "\ud800"]
)
def test_what_cannot_be_sent_is_no_secret(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        check_secret(value)


@pytest.mark.parametrize("name", [*RESERVED_HEADERS, "Authorization", "X-API-Key", "HOST"])
def test_reserved_headers_cannot_be_set(name: str) -> None:
    with pytest.raises(PydanticCustomError, match="cannot be set"):
        check_header_name(name)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ä", "(x)"])
def test_headers_have_names_that_http_allows(name: str) -> None:
    with pytest.raises(PydanticCustomError, match="not one that HTTP allows"):
        check_header_name(name)


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\x00", "ä", "\x7f"])
def test_headers_stay_on_one_line(value: str) -> None:
    with pytest.raises(PydanticCustomError):
        check_header(value)
    assert check_header("a b\tc") == "a b\tc"
    assert check_header_name("OpenAI-Organization") == "OpenAI-Organization"


@pytest.mark.parametrize("value", ["a\nb", "\x1b[31m", "\x85", "\ud800"])
def test_text_is_fit_for_a_log(value: str) -> None:
    with pytest.raises(PydanticCustomError):
        check_text(value)
    assert check_text("Grüße, 世界") == "Grüße, 世界"
