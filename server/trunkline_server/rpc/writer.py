"""One RPC's stream of batches on its way out."""

import asyncio

import grpc

from trunkline.errors import DeadlineError, GatewayError, InternalError
from trunkline.running import RunningCall
from trunkline.v1 import StreamCompleteResponse

_LAST = frozenset({"finished", "failed"})


class BatchWriter:
    """Writes batches, remembers how far it got, and ends the call when its client takes nothing for too long.

    One timer that is re-armed at most once in `stall_s` watches the writes, not one for each.
    """

    def __init__(self, context: grpc.aio.ServicerContext[bytes, bytes], *, stall_s: float) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._stall_s = stall_s
        self._call: RunningCall | None = None
        self._last: StreamCompleteResponse | None = None
        self._writing_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, call: RunningCall) -> None:
        """From now on, a write that stalls ends this call with DeadlineError."""
        self._call = call

    async def write(self, batch: StreamCompleteResponse) -> None:
        """Returns when gRPC has room for more."""
        self._writing_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._stall_s, self._check)
        await self._context.write(batch.SerializeToString())
        self._writing_since = None
        self._last = batch

    def check_finished(self) -> None:
        """Raises InternalError unless the last event was `finished`: such a stream must not look whole."""
        if self._last is None or _kind(self._last) != "finished":
            raise InternalError("the answer ended before it was finished")

    async def write_failure(self, error: GatewayError) -> None:
        """Makes `failed` the last event of a stream that began and whose end was not written yet."""
        last = self._last
        # gRPC takes one write at a time, so one that was given up leaves room for the status only.
        if last is None or self._writing_since is not None or _kind(last) in _LAST:
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

    def _check(self) -> None:
        self._timer = None
        if self._writing_since is None or self._call is None:
            return
        left_s = self._writing_since + self._stall_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._check)
        else:
            self._call.end(DeadlineError(f"the client took nothing of the answer for {self._stall_s:g} s"))


def _kind(batch: StreamCompleteResponse) -> str | None:
    return batch.events[-1].WhichOneof("kind") if batch.events else None
