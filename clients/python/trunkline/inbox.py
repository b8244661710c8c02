"""What has come of one request of a session and has not been read yet, on the client's side."""

from collections import deque
from typing import Final

from trunkline.errors import CancelledByCallerError, GatewayError, from_failure
from trunkline.reader import AnswerReader
from trunkline.v1 import CompleteResponse, ConversationState, Event, RequestEvents

DEFAULT_WINDOW_BYTES: Final = 256 * 1024
"""How many bytes of events may be on their way or wait to be read."""


class Inbox:
    """Takes events as they come, gives them one by one, and says when the gateway may send more."""

    def __init__(self, request_id: str, window_bytes: int) -> None:
        self.request_id = request_id
        self.conversation: ConversationState | None = None
        """How the conversation stands after the turn; None before its end, and where the request is in none."""
        self.ended = False
        """Whether nothing more comes."""
        self.window_bytes = window_bytes
        self._events: deque[Event] = deque()
        self._reader = AnswerReader()
        self._failure: GatewayError | None = None
        self._read_bytes = 0

    def arrive(self, found: RequestEvents) -> None:
        """The next events."""
        self._events.extend(self._reader.take(found))
        if found.HasField("conversation"):
            self.conversation = found.conversation
        last = found.events[-1]
        if last.HasField("failed"):
            self.fail(from_failure(last.failed.failure))
        elif last.HasField("finished"):
            self.ended = True

    def fail(self, failure: GatewayError) -> None:
        """Nothing more comes, because of this; what had come can still be read. After the end it changes nothing."""
        if not self.ended:
            self.ended = True
            self._failure = failure
            self._reader.fail(failure)

    def next(self) -> Event | None:
        """The next event; None if none is there. Raises why there will be none; StopIteration after `finished`."""
        if self._events:
            event = self._events.popleft()
            self._read_bytes += event.ByteSize()
            return event
        if self._failure is not None:
            raise self._failure
        if self.ended:
            raise StopIteration
        return None

    def owed_bytes(self) -> int:
        """The credit to give now, because so much has been read; 0: none yet."""
        if self.ended or self._read_bytes * 2 < self.window_bytes:
            return 0
        owed, self._read_bytes = self._read_bytes, 0
        return owed

    def answer(self) -> CompleteResponse:
        """The whole answer, once all was read. Raises why there is none."""
        return self._reader.answer()


def left() -> GatewayError:
    """Why nothing more comes of a session that its own client has left."""
    return CancelledByCallerError("the session was left before the answer was finished")
