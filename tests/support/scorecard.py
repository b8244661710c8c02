"""Plays the 16 failure scenarios in real time and prints how each went; see docs/survival.md.

Usage: make scorecard [ARGS="--json --wire gemini"]
"""

import argparse
import asyncio
import json
import sys

import survival_table
from faults import Spelling
from survival_client import SURFACES, Surface
from survival_table import Scenario, Verdict

Key = tuple[str, Surface, bool]

MANNERS = tuple((surface, stream) for surface in SURFACES for stream in (True, False))


async def play(wire: Spelling) -> dict[Key, Verdict]:
    """All scenarios over both surfaces, streamed and whole, side by side: each has providers and a gateway of its own."""
    verdicts: dict[Key, Verdict] = {}

    async def one(scenario: Scenario, surface: Surface, stream: bool) -> None:
        verdicts[scenario.id, surface, stream] = await survival_table.run(scenario, surface, wire, stream=stream)

    async with asyncio.TaskGroup() as group:
        for scenario in survival_table.TABLE:
            for surface, stream in MANNERS:
                group.create_task(one(scenario, surface, stream))
    return verdicts


def table_of(verdicts: dict[Key, Verdict]) -> str:
    """The verdicts as a table in Markdown, and what was amiss."""
    heads = [f"{surface} {'stream' if stream else 'whole'}" for surface, stream in MANNERS]
    lines = [f"| | scenario | {' | '.join(heads)} |", f"|---|---|{'---|' * len(heads)}"]
    for scenario in survival_table.TABLE:
        grades = [verdicts[scenario.id, surface, stream].grade for surface, stream in MANNERS]
        lines.append(f"| {scenario.id} | {scenario.title} | {' | '.join(grades)} |")
    for surface, stream in MANNERS:
        passed = sum(verdicts[scenario.id, surface, stream].grade == "pass" for scenario in survival_table.TABLE)
        lines.append(f"{surface} {'stream' if stream else 'whole'}: {passed}/{len(survival_table.TABLE)}")
    for (name, surface, stream), verdict in sorted(verdicts.items()):
        if verdict.why:
            lines.append(f"{name} {surface} {'stream' if stream else 'whole'}: {verdict.grade}: {verdict.why}")
    return "\n".join(lines)


def main() -> int:
    """Exit code 0 only if all pass."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    wires = {wire.kind: wire for wire in survival_table.WIRES}
    parser.add_argument("--wire", choices=wires, default=next(iter(wires)), help="what the failing providers speak")
    arguments = parser.parse_args()
    verdicts = asyncio.run(play(wires[arguments.wire]))
    if arguments.json:
        rows = [
            {"id": key[0], "surface": key[1], "stream": key[2], "grade": verdict.grade, "why": verdict.why}
            for key, verdict in sorted(verdicts.items())
        ]
        sys.stdout.write(json.dumps(rows) + "\n")
    else:
        sys.stdout.write(table_of(verdicts) + "\n")
    return 0 if all(verdict.grade == "pass" for verdict in verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
