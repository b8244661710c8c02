"""Counts over the last seconds, in slots that expire one by one."""

SLOTS = 10


class SlidingCounts:
    """Two kinds of events, counted over about the last `window_s` seconds; `now` may not go backwards."""

    __slots__ = ("_first", "_second", "_slot", "_slot_s", "first", "second")

    def __init__(self, window_s: float) -> None:
        self._slot_s = window_s / SLOTS
        self._slot = -SLOTS
        self._first = [0] * SLOTS
        self._second = [0] * SLOTS
        self.first = 0
        """Events of the first kind within the window, as of the last `advance`."""
        self.second = 0
        """Events of the second kind."""

    def advance(self, now: float) -> None:
        """Forgets what is too old."""
        slot = int(now / self._slot_s)
        if slot == self._slot:
            return
        for old in range(max(self._slot, slot - SLOTS) + 1, slot + 1):
            index = old % SLOTS
            self.first -= self._first[index]
            self.second -= self._second[index]
            self._first[index] = self._second[index] = 0
        self._slot = slot

    def add_first(self, now: float) -> None:
        """Counts one event of the first kind."""
        self.advance(now)
        self._first[self._slot % SLOTS] += 1
        self.first += 1

    def add_second(self, now: float) -> None:
        """Counts one event of the second kind."""
        self.advance(now)
        self._second[self._slot % SLOTS] += 1
        self.second += 1

    def clear(self) -> None:
        """Forgets everything."""
        self._first = [0] * SLOTS
        self._second = [0] * SLOTS
        self.first = self.second = 0
