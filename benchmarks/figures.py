"""Figures with their bars: what was measured in each round, what it amounts to, whether it passes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

_COLUMNS: Final = "{:<34} {:>18} {:>18} {:>22} {:>6} {:>6}  {}"


@dataclass(frozen=True, slots=True)
class Ratio:
    """A cost of the gateway as a multiple of a baseline's, which is measured in the same round."""

    name: str
    unit: str
    bar: float
    """The most that passes."""
    aim: float | None = None
    """What it should come down to."""
    gateway: list[float] = field(default_factory=list)
    """In `unit`, one for each round."""
    baseline: list[float] = field(default_factory=list)

    @property
    def rounds(self) -> list[float]:
        """The ratio of each round."""
        return [ours / theirs for ours, theirs in zip(self.gateway, self.baseline, strict=True)]

    @property
    def value(self) -> float:
        """The median ratio."""
        return median(self.rounds)

    @property
    def passes(self) -> bool:
        """Whether it is within the bar."""
        return self.value <= self.bar

    def row(self) -> str:
        """For the table."""
        aim = "" if self.aim is None else f"{self.aim:g}"
        gateway, baseline = (f"{_spread(values)} {self.unit}" for values in (self.gateway, self.baseline))
        verdict = "pass" if self.passes else "MISS"
        return _COLUMNS.format(self.name, gateway, baseline, f"{_spread(self.rounds)} x", f"{self.bar:g}", aim, verdict)

    def facts(self) -> dict[str, object]:
        """For JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "gateway": self.gateway,
            "baseline": self.baseline,
            "ratio": self.value,
            "ratios": self.rounds,
            "bar": self.bar,
            "aim": self.aim,
            "passes": self.passes,
        }


@dataclass(frozen=True, slots=True)
class Limit:
    """A cost of the gateway that stands for itself."""

    name: str
    unit: str
    bar: float
    values: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def passes(self) -> bool:
        """Whether it is within the bar."""
        return self.value <= self.bar

    def row(self) -> str:
        """For the table."""
        verdict = "pass" if self.passes else "MISS"
        return _COLUMNS.format(self.name, f"{_spread(self.values)} {self.unit}", "", "", f"{self.bar:g}", "", verdict)

    def facts(self) -> dict[str, object]:
        """For JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "values": self.values,
            "value": self.value,
            "bar": self.bar,
            "passes": self.passes,
        }


Figure = Ratio | Limit


def table(figures: Sequence[Figure]) -> str:
    """One line for each figure: median, and from least to most in brackets."""
    head = _COLUMNS.format("figure", "gateway", "baseline", "ratio", "bar", "aim", "")
    return "\n".join((head, *(figure.row() for figure in figures)))


def _spread(values: Sequence[float]) -> str:
    least, middle, most = (_number(value) for value in (min(values), median(values), max(values)))
    return f"{middle} [{least}-{most}]"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
