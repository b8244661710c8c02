"""Set-up of the process's own log on standard error: one form for people, one for machines."""

import logging
import sys
from typing import Protocol

import orjson

from trunkline_server.telemetry.timestamp import utc_time

OURS = ("trunkline", "trunkline_server", "trunkline_bridge", "trunkline_cli")
"""The packages whose level is set."""

# What others may say, whatever our level is: below that they are chatty and may quote what they carry.
_OTHERS_LEVEL = logging.WARNING
# While a backend is away there would be a line for each retry; one for each lost batch is left.
_EXPORTERS = "opentelemetry"

_HUMAN_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class Lines(Protocol):
    """Where lines go without waiting; LineWriter is one."""

    def write(self, text: bytes, lines: int = 1) -> None:
        """Takes whole lines and returns at once."""
        ...

    def flush(self) -> bool:
        """Waits until what was taken is written; False if that takes too long."""
        ...


class LineHandler(logging.Handler):
    """Gives each record to a `Lines`, so that logging never waits for the reader of standard error."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.write(self.format(record).encode(errors="backslashreplace") + b"\n")
        except Exception:  # noqa: BLE001 by logging's own rule a handler raises nothing
            self.handleError(record)

    def flush(self) -> None:
        """Called by `logging` when the process ends."""
        self._lines.flush()


class JsonFormatter(logging.Formatter):
    """One JSON object a record: kind "log", time, level, logger, message and, with an exception, its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "kind": "log",
            "time": utc_time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _encodable(record.getMessage()),
        }
        if record.exc_info:
            entry["traceback"] = _encodable(self.formatException(record.exc_info))
        return orjson.dumps(entry).decode()


def configure_logging(level: str, lines: Lines | None = None, *, human: bool | None = None) -> logging.Handler:
    """Sends all logging to standard error: ours from `level` ("debug" to "error") on, others' warnings and errors.

    With `lines` nothing ever waits; without, writing blocks, which suits a command that ends soon. `human` says which
    form; None: for people if standard error is a terminal. A second call replaces the first. Returns the handler.
    """
    human = sys.stderr.isatty() if human is None else human
    handler = logging.StreamHandler() if lines is None else LineHandler(lines)
    handler.set_name(__name__)
    handler.setFormatter(logging.Formatter(_HUMAN_FORMAT) if human else JsonFormatter())
    root = logging.getLogger()
    for earlier in [found for found in root.handlers if found.get_name() == __name__]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    number = logging.getLevelNamesMapping()[level.upper()]
    for name in OURS:
        logging.getLogger(name).setLevel(number)
    root.setLevel(max(number, _OTHERS_LEVEL))
    logging.getLogger(_EXPORTERS).setLevel(logging.ERROR)
    return handler


def _encodable(text: str) -> str:
    """Lone surrogates, as in undecodable file names, have no place in JSON."""
    return text.encode(errors="backslashreplace").decode()
