"""A gateway whose answers say what a test tells them, when it tells them, and that heeds steering as the engine does."""

import asyncio
from collections import deque
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from scripted_gateway import Batches, ScriptedGateway
from trunkline.context import CallContext
from trunkline.errors import GatewayError
from trunkline.v1 import CompleteRequest, Event, FinishReason, StreamCompleteResponse


@dataclass
class Answer:
    """One answer, as it is being given."""

    request: CompleteRequest
    context: CallContext
    pulls: int = 0
    """How many batches were asked for so far."""
    ending: str = ""
    """How it ended: "finished", "failed", or "left" by its caller; empty: it has not."""
    complete: bool = False
    """Whether all has been said, taken or not."""
    _batches: deque[StreamCompleteResponse | GatewayError] = field(default_factory=deque)
    _stopped: GatewayError | None = None
    _changed: asyncio.Future[None] | None = None
    _events: int = 0

    def say(self, *texts: str) -> None:
        """A batch with these texts, after what begins an answer where nothing was said before."""
        self._add([*self._opening(), *(Event(text=text) for text in texts)])

    def finish(self) -> None:
        """The last batch."""
        self.complete = True
        done, stopped, finished = Event(), Event(), Event()
        done.part_done.SetInParent()
        stopped.choice_finished.finish_reason = FinishReason.FINISH_REASON_STOP
        finished.finished.usage.output_tokens = 1
        self._add([*self._opening(), done, stopped, finished])

    def fail(self, error: GatewayError) -> None:
        """The provider failed."""
        self.complete = True
        self._batches.append(error)
        self._wake()

    def stop(self, error: GatewayError) -> None:
        """As the engine does at a deadline: the answer fails, whether or not anybody asks for more."""
        self._stopped = self._stopped or error
        self._wake()
        if self.context.steering is not None and self.context.steering.on_ending is not None:
            self.context.steering.on_ending()

    async def batches(self) -> Batches:
        """For the gateway."""
        steering = self.context.steering
        if steering is not None:
            steering.attach(self.stop)
        try:
            while True:
                self.pulls += 1
                step = await self._next()
                if isinstance(step, GatewayError):
                    self.ending = "failed"
                    batch = StreamCompleteResponse(first_event=self._events + 1)
                    batch.events.add().failed.failure.CopyFrom(step.to_failure())
                    yield batch
                    raise step
                step.first_event = self._events + 1
                self._events += len(step.events)
                if step.events[-1].HasField("finished"):
                    self.ending = "finished"
                yield step
                if self.ending:
                    return
        finally:
            self.ending = self.ending or "left"
            if steering is not None:
                steering.attach(None)

    async def _next(self) -> StreamCompleteResponse | GatewayError:
        while not self._batches and self._stopped is None:
            self._changed = asyncio.get_running_loop().create_future()
            await self._changed
        return self._stopped or self._batches.popleft()

    def _opening(self) -> list[Event]:
        if self._events or self._batches:
            return []
        started, begun = Event(), Event()
        started.started.id = self.context.request_id
        begun.part_started.text = ""
        return [started, begun]

    def _add(self, events: list[Event]) -> None:
        self._batches.append(StreamCompleteResponse(events=events))
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            with suppress(asyncio.InvalidStateError):
                self._changed.set_result(None)


class SteeredGateway(ScriptedGateway):
    """Keeps every answer for its test to steer."""

    def __init__(self, *, key: str = "") -> None:
        super().__init__(key=key)
        self.answers: list[Answer] = []
        self._arrivals = asyncio.Event()

    async def stream(self, request: CompleteRequest, context: CallContext) -> Batches:
        """One more of `answers`."""
        self._admit(context)
        answer = Answer(request, context)
        self.answers.append(answer)
        self._arrivals.set()
        async with aclosing(answer.batches()) as batches:
            async for batch in batches:
                yield batch

    async def asked(self, count: int) -> Answer:
        """The last answer, once there are so many."""
        while len(self.answers) < count:
            self._arrivals.clear()
            await self._arrivals.wait()
        return self.answers[count - 1]
