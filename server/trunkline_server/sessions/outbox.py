"""What a session has to say: notices first, then events, a turn for each request that has some."""

from collections import deque
from typing import Final

from trunkline.v1 import ConverseResponse
from trunkline_server.sessions.lane import Lane
from trunkline_server.sessions.wire import converse_response, numbered

MAX_MESSAGE_BYTES: Final = 16 * 1024
"""A message that has reached this takes no further request's events. As much as an HTTP/2 frame holds by default, and
well below a stream's first window: a larger one would be taken in pieces, and all that waits behind it with it."""


class Outbox:
    """Makes messages of notices and of what waits in the lanes, and numbers them."""

    __slots__ = ("_lanes", "_notices", "_sequence")

    def __init__(self) -> None:
        self._notices: deque[bytes] = deque()
        self._lanes: deque[Lane] = deque()
        self._sequence = 0

    def __len__(self) -> int:
        """How many notices and lanes with events wait."""
        return len(self._notices) + len(self._lanes)

    @property
    def notices(self) -> int:
        """How many of them are notices."""
        return len(self._notices)

    def notify(self, notice: ConverseResponse) -> None:
        """A response that holds a notice, not yet numbered."""
        self._notices.append(notice.SerializeToString())

    def add(self, lane: Lane) -> None:
        """This lane has events; it takes its turn behind those that had some before."""
        if not lane.queued:
            lane.queued = True
            self._lanes.append(lane)

    def next_message(self) -> tuple[bytes, list[Lane]]:
        """A ConverseResponse, and those of its lanes whose requests have ended with it. Call it when something waits."""
        self._sequence += 1
        if self._notices:
            return numbered(self._notices.popleft(), self._sequence), []
        lanes = self._lanes
        requests, ended, size = [], [], 0
        while lanes and size < MAX_MESSAGE_BYTES:
            lane = lanes.popleft()
            lane.queued = False
            data = lane.take()
            requests.append(data)
            size += len(data)
            if lane.ended:
                ended.append(lane)
        return converse_response(requests, self._sequence), ended
