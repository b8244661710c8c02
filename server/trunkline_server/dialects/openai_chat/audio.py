"""The sound of an answer, put together from deltas."""

import base64
import binascii

from trunkline_server.dialects.dialect import MalformedFrameError

_QUANTUM = 4  # characters of base64 that make whole bytes


class AudioPart:
    """The one audio part of a choice."""

    __slots__ = ("_rest", "part", "transcript")

    def __init__(self, part: int) -> None:
        self.part = part
        """The number of the part within the choice."""
        self.transcript = ""
        """What has been said so far."""
        self._rest = ""

    def decode(self, data: str) -> bytes:
        """The bytes that a further piece of base64 completes; pieces may be cut anywhere."""
        data = self._rest + data
        whole = len(data) - len(data) % _QUANTUM
        self._rest = data[whole:]
        try:
            return base64.b64decode(data[:whole], validate=True)
        except binascii.Error as error:
            raise MalformedFrameError("audio.data is not base64") from error
