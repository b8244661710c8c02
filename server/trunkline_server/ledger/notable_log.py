"""Says in the process's log what was slow, and what its caller wants to have explained."""

import logging
from typing import Any, Final

import orjson

from trunkline.v1 import NoteAction
from trunkline_server.ledger.access_log import attempt_entries, request_entry
from trunkline_server.ledger.ledger import Ledger
from trunkline_server.values.record import RequestRecord

logger = logging.getLogger(__name__)

_ACTIONS: Final = {
    value: name.removeprefix("NOTE_ACTION_").lower()
    for name, value in NoteAction.items()
    if value != NoteAction.NOTE_ACTION_UNSPECIFIED
}
_SAID_ABOVE: Final = ("kind", "request_id", "trace_id")


class NotableLog:
    """A ledger in front of another one."""

    def __init__(self, ledger: Ledger, *, slow_s: float) -> None:
        """`slow_s`: a request that takes longer gets a line."""
        self._ledger = ledger
        self._slow_us = slow_s * 1_000_000

    def record(self, record: RequestRecord) -> None:
        self._ledger.record(record)
        duration_us = record.report.duration_us
        if duration_us <= self._slow_us and not record.debug:
            return
        try:
            account = orjson.dumps(account_of(record)).decode()
        except Exception:  # a defect here must not undo the settlement of a request that went well
            logger.exception("request %s could not be told of", record.request_id)
            return
        if record.debug:
            _tell("request %s, as its caller asked: %s", record.request_id, account)
        else:
            logger.warning("request %s was slow, %.1f s: %s", record.request_id, duration_us / 1_000_000, account)

    async def close(self) -> None:
        await self._ledger.close()


def account_of(record: RequestRecord) -> dict[str, Any]:
    """What was done for a request, its attempts and what each changed of it included; no content."""
    found = request_entry(record)
    del found["kind"]
    found["made"] = [
        {name: value for name, value in entry.items() if name not in _SAID_ABOVE}
        | {"start_ms": attempt.start_us / 1000}
        | {
            "notes": [
                {"field": note.field, "action": _ACTIONS.get(note.action, "changed"), "reason": note.reason}
                for note in attempt.notes
            ]
        }
        for entry, attempt in zip(attempt_entries(record), record.report.attempts, strict=True)
    ]
    if record.report.warnings:
        found["warnings"] = list(record.report.warnings)
    return found


def _tell(message: str, *values: object) -> None:
    """Whatever the log's level is: somebody who may want it wants it."""
    logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, message, values, None))
