"""One request of a session, from its command to its last event."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from trunkline.context import CallContext, Steering
from trunkline.errors import GatewayError, InternalError
from trunkline.gateway import Gateway
from trunkline.interruptible import Interruptible
from trunkline.v1 import CompleteRequest, Priority, StreamCompleteResponse
from trunkline_server.sessions.conversation import Turn
from trunkline_server.sessions.lane import Lane
from trunkline_server.telemetry.defect import report_defect

_ENDS: Final = frozenset({"finished", "failed"})

log = logging.getLogger(__name__)


class SessionRequest:
    """Asks the gateway and puts what it says into a lane, as fast as the client takes it."""

    __slots__ = ("_asked", "_context", "_error", "_ready", "_steering", "_stretch", "_turn", "lane", "task")

    def __init__(
        self,
        lane: Lane,
        asked: CompleteRequest,
        context: CallContext,
        steering: Steering,
        *,
        turn: Turn | None,
        ready: Callable[[Lane], None],
    ) -> None:
        """`context.steering` is `steering`; `ready` is told when the lane has events."""
        self.lane = lane
        self.task: asyncio.Task[None] | None = None
        """Runs `answer`; set by whoever starts it."""
        self._asked = asked
        self._context = context
        self._steering = steering
        self._turn = turn
        self._ready = ready
        self._error: GatewayError | None = None
        self._stretch: Interruptible | None = None
        steering.on_ending = lane.release

    def stop(self, error: GatewayError) -> None:
        """Ends it with this error, unless it has ended; its last event follows."""
        if self._error is not None or self.lane.ended:
            return
        self._error = error
        if not self._steering.stop(error) and self._stretch is not None:
            # The gateway has not been asked yet, or cannot be told.
            self._stretch.interrupt(error)

    def reprioritize(self, priority: "Priority.ValueType") -> None:
        """Gives it another place in the queue in which it may be."""
        if priority:
            self._steering.priority = priority

    async def answer(self, gateway: Gateway) -> None:
        """Returns when the last event has been put into the lane. Cancelling it ends the request without one."""
        error: GatewayError
        try:
            with Interruptible(self.task) as self._stretch:
                await self._pull(gateway)
            error = InternalError("the answer ended before it was finished")
        except GatewayError as failure:
            error = failure
        except Exception as defect:  # noqa: BLE001 whatever it is, the client gets a typed end
            error = report_defect(log, defect, self._context.request_id)
        finally:
            self._steering.on_ending = None
        if not self.lane.ended:
            self._deliver(_failed(error, self.lane.next_event))

    async def _pull(self, gateway: Gateway) -> None:
        lane = self.lane
        if self._error is not None:
            raise self._error
        if not lane.open:
            await lane.opened()
        async with aclosing(gateway.stream(self._asked, self._context)) as batches:
            async for batch in batches:
                self._deliver(batch)
                if not lane.open:
                    await lane.opened()

    def _deliver(self, batch: StreamCompleteResponse) -> None:
        lane, turn = self.lane, self._turn
        if lane.ended:
            return  # nothing may follow
        data = batch.SerializeToString()
        if turn is not None:
            turn.add(batch, len(data))
        end = batch.events[-1].WhichOneof("kind")
        if end not in _ENDS:
            lane.put(batch, data)
        elif turn is None:
            lane.end(batch, data)
        else:
            lane.end(batch, data, turn.end(well=end == "finished").SerializeToString())
        self._ready(lane)


def _failed(error: GatewayError, first_event: int) -> StreamCompleteResponse:
    batch = StreamCompleteResponse(first_event=first_event)
    failed = batch.events.add().failed
    failed.failure.CopyFrom(error.to_failure())
    if error.report is not None:
        failed.report.CopyFrom(error.report)
    return batch
