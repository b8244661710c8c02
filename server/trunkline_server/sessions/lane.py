"""One request's events on their way out: what waits to be sent, and how much more may come."""

import asyncio
from typing import Final

from trunkline.v1 import StreamCompleteResponse
from trunkline_server.sessions.wire import request_events, request_id_field

MAX_WAITING_BYTES: Final = 8 * 1024
"""While this much waits to be sent, the provider is read no further. The batch that reaches it is taken whole."""
MAX_CREDIT_BYTES: Final = 1024**3


class Lane:
    """Takes batches as they come, gives them joined, and says when the next may be asked for."""

    __slots__ = (
        "_batches",
        "_conversation",
        "_credit",
        "_field",
        "_first_event",
        "_size",
        "_waiter",
        "ended",
        "next_event",
        "open",
        "queued",
        "request_id",
    )

    def __init__(self, request_id: str, credit: int | None = None) -> None:
        """`credit` is how many bytes of events may come; None: any number."""
        self.request_id = request_id
        self.ended = False
        """Whether the request's last event has been put here."""
        self.open = True
        """Whether the next batch may be asked for."""
        self.queued = False
        """For whoever keeps the lanes: whether this one is among those that have events."""
        self.next_event = 1
        """The number of the next event."""
        self._field = request_id_field(request_id)
        self._credit = credit
        self._batches: list[bytes] = []
        self._size = 0
        self._first_event = 1
        self._conversation = b""
        self._waiter: asyncio.Future[None] | None = None
        self._settle()

    def put(self, batch: StreamCompleteResponse, data: bytes) -> None:
        """The next batch, and the same as bytes."""
        self._add(batch, data)
        if self._credit is not None:
            self._credit -= sum(event.ByteSize() for event in batch.events)
        self._settle()

    def end(self, batch: StreamCompleteResponse, data: bytes, conversation: bytes = b"") -> None:
        """The last batch, which costs nothing; `conversation` is the ConversationState, if there is one."""
        self._add(batch, data)
        self._conversation = conversation
        self.ended = True
        self._settle()

    def take(self) -> bytes:
        """RequestEvents of all that waits."""
        data = request_events(self._batches, self._first_event, self._field, self._conversation)
        self._batches = []
        self._size = 0
        self._settle()
        return data

    def grant(self, credit: int) -> None:
        """So much more may come."""
        if self._credit is not None:
            self._credit = min(self._credit + credit, MAX_CREDIT_BYTES)
            self._settle()

    def release(self) -> None:
        """Credit counts no more."""
        self._credit = None
        self._settle()

    async def opened(self) -> None:
        """Returns when the next batch may be asked for."""
        while not self.open:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _add(self, batch: StreamCompleteResponse, data: bytes) -> None:
        if not self._batches:
            self._first_event = self.next_event
        self.next_event += len(batch.events)
        self._batches.append(data)
        self._size += len(data)

    def _settle(self) -> None:
        self.open = self.ended or (self._size < MAX_WAITING_BYTES and (self._credit is None or self._credit > 0))
        if self.open and self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._waiter = None
