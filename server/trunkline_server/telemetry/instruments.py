"""Counters, histograms and gauges as plain numbers: recording one costs a look-up and an addition.

Nothing here knows how numbers leave the process; `prometheus` and `metric_export` read them when they are asked for.
OpenTelemetry's own instruments cost some 7 µs each time, these about one.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MAX_SERIES: Final = 2000
"""Most series of one instrument, as OpenTelemetry's SDKs have it; what would be one more counts as `OVERFLOW`."""
OVERFLOW: Final = "other"
"""The value of every attribute of the series that takes what has no room."""

Values = tuple[str, ...]
"""A series' attribute values, in the order of its instrument's attribute names. Empty text: the attribute is absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What an instrument measures, in OpenTelemetry's terms."""

    name: str
    """Such as "trunkline.requests"."""
    unit: str
    """UCUM, such as "s" or "{request}"."""
    text: str
    """One sentence for people."""
    attributes: Sequence[str] = ()
    """Names of the attributes that tell its series apart."""


class Counter:
    """Sums that only grow."""

    def __init__(self, description: Description, *, scale: float = 1, max_series: int = MAX_SERIES) -> None:
        """A sum is shown divided by `scale`, so that money can be added up in whole numbers."""
        self.description = description
        self.scale = scale
        self.series: dict[Values, float] = {}
        self._max_series = max_series

    def add(self, values: Values, amount: float = 1) -> None:
        """Adds to the series with these attribute values."""
        series = self.series
        if values not in series and len(series) >= self._max_series:
            values = (OVERFLOW,) * len(values)
        series[values] = series.get(values, 0) + amount


class Bins:
    """One series of a histogram."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """How many values fell up to each bound, each bin for itself; the last one holds what is above all."""
        self.total: float = 0
        """The sum of all values."""

    def add(self, value: float) -> None:
        """Takes one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Histogram:
    """How values are spread over bins with fixed upper bounds."""

    def __init__(self, description: Description, bounds: Sequence[float], *, max_series: int = MAX_SERIES) -> None:
        self.description = description
        self.bounds = tuple(bounds)
        self.series: dict[Values, Bins] = {}
        self._max_series = max_series

    def at(self, values: Values) -> Bins:
        """The series with these attribute values, to be kept by whoever has several values for it."""
        found = self.series.get(values)
        if found is None:
            if len(self.series) >= self._max_series:
                values = (OVERFLOW,) * len(values)
            found = self.series.setdefault(values, Bins(self.bounds))
        return found


class Observed:
    """What is looked up when somebody asks: a state, such as what is in flight, or a sum that is counted elsewhere.

    It is looked up in the loop, whose state it is; see Instruments.observe.
    """

    def __init__(
        self, description: Description, read: Callable[[], Iterable[tuple[Values, float]]], *, is_sum: bool = False
    ) -> None:
        """`is_sum` says that the figures only grow."""
        self.description = description
        self.read = read
        self.is_sum = is_sum


Instrument = Counter | Histogram | Observed
Observations = Mapping[str, Sequence[tuple[Values, float]]]
"""The figures of every Observed by its name."""


class Instruments:
    """All instruments of a process, by name."""

    def __init__(self) -> None:
        self._all: dict[str, Instrument] = {}

    def add(self, *instruments: Instrument) -> None:
        """Takes instruments in. Raises ValueError for a name that is taken."""
        for instrument in instruments:
            name = instrument.description.name
            if name in self._all:
                raise ValueError(f"there is an instrument {name!r} already")
            self._all[name] = instrument

    def observe(self) -> Observations:
        """Looks up whatever is looked up. Call it in the loop that answers requests, and no other thread."""
        return {
            name: list(instrument.read()) for name, instrument in self._all.items() if isinstance(instrument, Observed)
        }

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._all.values())


def named(description: Description, values: Values) -> Mapping[str, str]:
    """A series' attributes by name, without those that are absent."""
    return {name: value for name, value in zip(description.attributes, values, strict=True) if value}
