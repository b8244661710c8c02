"""What leaves in batches from a thread of the SDK's: within bounds, counted, and never waited for.

Importing this module loads OpenTelemetry's SDK, so only a process that exports does.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource

from trunkline import __version__

logger = logging.getLogger(__name__)

_WARN_EVERY_S: Final = 60.0
_UNNAMED_SERVICE: Final = "unknown_service"


class CountingExporter:
    """Another exporter, of spans or log records, with counters, and with a shutdown that may be repeated.

    Used by one thread at a time.
    """

    def __init__(self, exporter: Any, success: Any, failure: Any) -> None:  # noqa: ANN401 the SDK has one type for each signal
        """`success` and `failure` are what the signal's exporters answer."""
        self._exporter = exporter
        self._success = success
        self._failure = failure
        self._closed = False
        self.taken = 0
        """What was given to it so far, whatever became of it."""
        self.exported = 0
        """What the backend took of it."""
        self.failed = 0
        """What it did not take."""

    def export(self, batch: Sequence[Any]) -> Any:  # noqa: ANN401 as above
        """As the SDK's exporters do."""
        self.taken += len(batch)
        result = self._failure
        try:
            if not self._closed:
                result = self._exporter.export(batch)
        finally:
            if result is self._success:
                self.exported += len(batch)
            else:
                self.failed += len(batch)
        return result

    def shutdown(self) -> None:
        """Ends a running export as well, as far as the exporter can."""
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """Nothing is held here."""
        return True


class BatchExport:
    """Keeps count of what a batch processor of the SDK's holds.

    What does not fit its queue is dropped and counted: a backend that is slow or away costs telemetry, never memory or
    time on the event loop.
    """

    def __init__(
        self, exporter: CountingExporter, *, what: str, max_queue_size: int, close: Callable[[], object]
    ) -> None:
        """`what` names what is exported, for the log; `close` ends the processor, however long that takes."""
        self._exporter = exporter
        self._what = what
        self._max_queue_size = max_queue_size
        self._close = close
        self._submitted = 0
        self._closed = False
        self._warned_at = -_WARN_EVERY_S
        self.dropped = 0
        """What did not fit the queue, or came after the shutdown."""

    @property
    def failed(self) -> int:
        """What the backend did not take."""
        return self._exporter.failed

    @property
    def queued(self) -> int:
        """What waits to be exported."""
        return self._submitted - self._exporter.taken

    def has_room(self, count: int) -> bool:
        """Whether so many more fit; if not, they count as dropped."""
        if not self._closed and self.queued + count <= self._max_queue_size:
            return True
        self.dropped += count
        now = time.monotonic()
        if not self._closed and now - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = now
            logger.warning("the OTLP backend does not keep up: %d %s dropped so far", self.dropped, self._what)
        return False

    def submitted(self, count: int) -> None:
        """So many go to the processor."""
        self._submitted += count

    async def shutdown(self, timeout_s: float) -> None:
        """Exports what is queued, for at most `timeout_s`; the rest is lost."""
        if self._closed:
            return
        self._closed = True
        # A thread of its own, because neither the processor's end nor that of its thread can be bounded from outside;
        # a daemon, so that a backend that hangs does not hang the process.
        closing = threading.Thread(target=self._close, name=f"trunkline-{self._what}-closing", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, timeout_s)
        if closing.is_alive():
            # Breaks off the running export; the batches after it fail at once.
            await asyncio.to_thread(self._exporter.shutdown)
        if lost := self.dropped + self._submitted - self._exporter.exported:
            logger.warning("%d %s were not exported", lost, self._what)


def resource_of(service_name: str) -> Resource:
    """This process as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES describe it, `service_name` where they don't."""
    found = Resource({SERVICE_VERSION: __version__}).merge(Resource.create())
    if str(found.attributes[SERVICE_NAME]).startswith(_UNNAMED_SERVICE):
        found = found.merge(Resource({SERVICE_NAME: service_name}))
    return found


def processor_settings(prefix: str, defaults: Mapping[str, tuple[str, int]]) -> dict[str, int]:
    """A batch processor's settings from the OTEL_* variables that begin with `prefix`.

    `defaults` are by the setting's name: the rest of the variable's, and the value where it says nothing.
    """
    found = {}
    for name, (suffix, default) in defaults.items():
        variable = prefix + suffix
        text = os.environ.get(variable, "").strip()
        if text and not (text.isdecimal() and int(text) > 0):
            logger.warning("%s is not a positive whole number; %d is used", variable, default)
            text = ""
        found[name] = int(text) if text else default
    found["max_export_batch_size"] = min(found["max_export_batch_size"], found["max_queue_size"])
    return found
