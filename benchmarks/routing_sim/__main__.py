"""`make sim`: simulates a million requests for each variant, prints what came of it and draws docs/routing-sim.png."""

import argparse
import sys
from pathlib import Path

from benchmarks.routing_sim.drawing import draw
from benchmarks.routing_sim.simulation import (
    BOTH_DOWN,
    BROWN_OUT,
    OUTAGE,
    STORM,
    VARIANTS,
    goodput,
    recovery_s,
    simulate,
)

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "routing-sim.png"


def main() -> int:
    """0 unless retries exceeded their budget."""
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    options = parser.parse_args()
    outcomes = {}
    exceeded = False
    lines = [
        "| variant | answered in the outage | brown-out | storm | both down | back after | retries | most calls |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, policy in VARIANTS.items():
        outcome = outcomes[name] = simulate(policy, requests=options.requests)
        shares = " | ".join(f"{goodput(outcome, trouble):.1%}" for trouble in (OUTAGE, BROWN_OUT, STORM, BOTH_DOWN))
        retries = sum(map(sum, outcome.retries.values()))
        peak = max(outcome.calls["primary"])
        lines.append(f"| {name} | {shares} | {recovery_s(outcome, OUTAGE):.0f} s | {retries:,} | {peak:,}/s |")
        if outcome.excess > 0:
            exceeded = True
            lines.append(f"retries exceeded their budget by {outcome.excess:.0f}: {name}")
    sys.stdout.write("\n".join(lines) + "\n")
    draw(outcomes, PICTURE)
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
