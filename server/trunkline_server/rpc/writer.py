"""One RPC's stream of batches on its way out."""

import asyncio

import grpc

from trunkline.errors import DeadlineError, GatewayError, InternalError
from trunkline.running import RunningCall
from trunkline.v1 import StreamCompleteResponse

_LAST = frozenset({"finished", "failed"})


class BatchWriter:
    """Writes batches, remembers how far it got, shows while nothing comes that the request is alive, and ends the call
    when its client takes nothing for too long.

    One timer that is re-armed when it fires does both; a write costs it two assignments.
    """

    def __init__(self, context: grpc.aio.ServicerContext[bytes, bytes], *, stall_s: float, heartbeat_s: float) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._stall_s = stall_s
        self._heartbeat_s = heartbeat_s
        self._call: RunningCall | None = None
        self._last: StreamCompleteResponse | None = None
        self._writing = False
        self._since = self._loop.time()
        """When the last write began, and with it the silence after it: one look at the clock is for both."""
        self._silent_since = self._since
        """When the last batch was written, heartbeats not counted."""
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.Task[None] | None = None

    def watch(self, call: RunningCall) -> None:
        """From now on silence is filled, and a write that stalls ends this call with DeadlineError."""
        self._call = call
        self._since = self._silent_since = self._loop.time()
        self._timer = self._loop.call_later(min(self._stall_s, self._heartbeat_s), self._check)

    async def write(self, batch: StreamCompleteResponse) -> None:
        """Returns when gRPC has room for more."""
        if self._beat is not None:
            await self._beat
        await self._write(batch)
        self._last = batch
        self._silent_since = self._since

    def check_finished(self) -> None:
        """Raises InternalError unless the last event was `finished`: such a stream must not look whole."""
        if self._last is None or _kind(self._last) != "finished":
            raise InternalError("the answer ended before it was finished")

    async def write_failure(self, error: GatewayError) -> None:
        """Makes `failed` the last event of a stream that began and whose end was not written yet."""
        self.close()  # no sign of life may follow it
        last = self._last
        # gRPC takes one write at a time, so one that was given up leaves room for the status only.
        if last is None or self._writing or _kind(last) in _LAST:
            return
        batch = StreamCompleteResponse(first_event=last.first_event + len(last.events))
        failed = batch.events.add().failed
        failed.failure.CopyFrom(error.to_failure())
        if error.report is not None:
            failed.report.CopyFrom(error.report)
        await self._context.write(batch.SerializeToString())

    def close(self) -> None:
        """Stops watching."""
        if self._timer is not None:
            self._timer.cancel()
        if self._beat is not None:
            self._beat.cancel()

    async def _write(self, batch: StreamCompleteResponse) -> None:
        self._since = self._loop.time()
        self._writing = True
        await self._context.write(batch.SerializeToString())
        self._writing = False

    def _check(self) -> None:
        now = self._loop.time()
        due = self._since + (self._stall_s if self._writing else self._heartbeat_s)
        if due > now:
            # A write that begins meanwhile may stall before that.
            self._timer = self._loop.call_at(min(due, now + self._stall_s), self._check)
        elif not self._writing:
            if self._last is None or _kind(self._last) not in _LAST:
                self._beat = self._loop.create_task(self._show_life())
        elif self._call is not None:
            self._call.end(DeadlineError(f"the client took nothing of the answer for {self._stall_s:g} s"))

    async def _show_life(self) -> None:
        self._timer = self._loop.call_later(min(self._heartbeat_s, self._stall_s), self._check)
        last = self._last
        batch = StreamCompleteResponse(first_event=1 if last is None else last.first_event + len(last.events))
        batch.events.add().heartbeat.silent_ms = round((self._loop.time() - self._silent_since) * 1000)
        try:
            await self._write(batch)
        except grpc.aio.InternalError:
            # The client is gone; the handler hears of it by being cancelled.
            pass
        finally:
            self._beat = None


def _kind(batch: StreamCompleteResponse) -> str | None:
    return batch.events[-1].WhichOneof("kind") if batch.events else None
