"""How many bytes may be kept: what a session takes counts for itself and for the gateway."""

from typing import Self


class Room:
    """Counts bytes against a limit, and against that of the room it is part of."""

    __slots__ = ("_whole", "limit", "used")

    def __init__(self, limit: int, whole: Self | None = None) -> None:
        self.limit = limit
        self.used = 0
        self._whole = whole

    def take(self, size: int) -> bool:
        """Whether there was room for so many bytes more; they are taken then."""
        if self.used + size > self.limit or (self._whole is not None and not self._whole.take(size)):
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        """So many of the bytes taken are free again."""
        self.used -= size
        if self._whole is not None:
            self._whole.give_back(size)

    def close(self) -> None:
        """All of them are."""
        self.give_back(self.used)
