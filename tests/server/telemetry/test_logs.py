import io
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from trunkline_server.telemetry import logs
from trunkline_server.telemetry.logs import OURS, configure_logging

WATCHED = ["", *OURS, "opentelemetry", "aiohttp", "grpc", "asyncio"]


class Kept:
    """Lines kept instead of written."""

    def __init__(self) -> None:
        self.text = b""
        self.flushed = 0

    def write(self, text: bytes, lines: int = 1) -> None:
        assert text.count(b"\n") >= lines
        self.text += text

    def flush(self) -> bool:
        self.flushed += 1
        return True

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.text.splitlines()]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Logging is the process's, so each test gives it back as it was."""
    root = logging.getLogger()
    handlers, levels = list(root.handlers), {name: logging.getLogger(name).level for name in WATCHED}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_record_is_one_json_line() -> None:
    kept = Kept()
    configure_logging("info", kept, human=False)
    logging.getLogger("trunkline_server.app").info("serving on %s\nport %d", "127.0.0.1", 4000)
    (entry,) = kept.entries
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry == {
        "kind": "log",
        "level": "info",
        "logger": "trunkline_server.app",
        "message": "serving on 127.0.0.1\nport 4000",
    }


def test_an_exception_comes_with_its_traceback() -> None:
    kept = Kept()
    configure_logging("info", kept, human=False)
    try:
        raise RuntimeError("defect")
    except RuntimeError:
        logging.getLogger("trunkline").exception("it broke")
    (entry,) = kept.entries
    assert entry["level"] == "error"
    assert entry["traceback"].startswith("Traceback")
    assert entry["traceback"].endswith("RuntimeError: defect")


def test_people_get_plain_lines() -> None:
    kept = Kept()
    configure_logging("info", kept, human=True)
    logging.getLogger("trunkline_server.app").warning("careful")
    assert re.fullmatch(rb"[\d: ,-]+ WARNING trunkline_server\.app: careful\n", kept.text)


@pytest.mark.parametrize("human", [True, False])
def test_text_that_is_not_unicode_is_logged_all_the_same(*, human: bool) -> None:
    kept = Kept()
    configure_logging("info", kept, human=human)
    logging.getLogger("trunkline").info("file %s", "\udcff")
    assert b"\\udcff" in kept.text


@pytest.mark.parametrize(
    ("level", "ours", "others"),
    [
        ("debug", {"debug", "info", "warning", "error"}, {"warning", "error"}),
        ("info", {"info", "warning", "error"}, {"warning", "error"}),
        ("warning", {"warning", "error"}, {"warning", "error"}),
        ("error", {"error"}, {"error"}),
    ],
)
def test_the_level_is_ours_and_others_only_warn(level: str, ours: set[str], others: set[str]) -> None:
    kept = Kept()
    configure_logging(level, kept, human=False)
    for name in ("trunkline_bridge.openai", "aiohttp.access", "grpc._cython", "asyncio", "opentelemetry.exporter"):
        for spoken in ("debug", "info", "warning", "error"):
            logging.getLogger(name).log(logging.getLevelNamesMapping()[spoken.upper()], "m")
    heard = {(entry["logger"], entry["level"]) for entry in kept.entries}
    assert heard == (
        {("trunkline_bridge.openai", spoken) for spoken in ours}
        | {(name, spoken) for name in ("aiohttp.access", "grpc._cython", "asyncio") for spoken in others}
        | {("opentelemetry.exporter", "error")}
    )


def test_setting_it_up_again_replaces_what_was() -> None:
    first, second = Kept(), Kept()
    configure_logging("info", first, human=False)
    configure_logging("info", second, human=False)
    logging.getLogger("trunkline").info("once")
    assert (len(first.entries), len(second.entries)) == (0, 1)
    assert [handler.get_name() for handler in logging.getLogger().handlers].count(logs.__name__) == 1


def test_the_end_of_the_process_flushes() -> None:
    kept = Kept()
    configure_logging("info", kept, human=False).flush()
    assert kept.flushed == 1


def test_a_record_that_cannot_be_formatted_is_nobodys_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    logging.getLogger().handlers.clear()  # pytest's own handlers raise
    configure_logging("info", Kept(), human=False)
    logging.getLogger("trunkline").info("%d", "text")
    assert "Logging error" in stderr.getvalue()


def test_a_command_writes_straight_to_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    configure_logging("info")
    logging.getLogger("trunkline").info("done")
    assert orjson.loads(stderr.getvalue())["message"] == "done"
