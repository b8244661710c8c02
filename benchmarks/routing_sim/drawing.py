"""The outcomes as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from benchmarks.routing_sim.simulation import BOTH_DOWN, BROWN_OUT, DURATION_S, OUTAGE, STORM, Outcome

_COLORS: Final = ("#1b6ca8", "#d1495b", "#edae49", "#8d8d8d")
_SMOOTH_S: Final = 5


def draw(outcomes: Mapping[str, Outcome], path: Path) -> None:
    """What was answered, what the primary was asked, and how often it was retried, over time."""
    figure = Figure(figsize=(11, 9), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    titles = ("answered requests a second", "calls to the primary a second", "retries of the primary a second")
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title, loc="left", fontsize=10)
        axis.grid(alpha=0.25)
        for trouble in (OUTAGE, BROWN_OUT, STORM, BOTH_DOWN):
            axis.axvspan(trouble.begin_s, trouble.end_s, color="#000000", alpha=0.06)
    for (name, outcome), color in zip(outcomes.items(), _COLORS, strict=True):
        rows = (outcome.answered, outcome.calls["primary"], outcome.retries["primary"])
        for axis, row in zip(axes, rows, strict=True):
            axis.plot(_smoothed(row[: int(DURATION_S)]), label=name, color=color, linewidth=1.2)
    top = axes[0].get_ylim()[1]
    labels = (
        (OUTAGE, "primary down"),
        (BROWN_OUT, "primary at 40 %"),
        (STORM, "429 above 20 %"),
        (BOTH_DOWN, "both down"),
    )
    for trouble, text in labels:
        axes[0].text(trouble.begin_s, top, text, fontsize=8, verticalalignment="top")
    axes[0].legend(loc="lower right", fontsize=8)
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=110)


def _smoothed(row: Sequence[int]) -> list[float]:
    return [sum(row[max(0, at - _SMOOTH_S + 1) : at + 1]) / min(_SMOOTH_S, at + 1) for at in range(len(row))]
