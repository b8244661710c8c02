"""`make bench`: measures the gateway beside its baselines and says which figures pass."""

import argparse
import asyncio
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

import orjson
import uvloop

from benchmarks.figures import Figure, table
from benchmarks.http_client import LoadError
from benchmarks.measurement import LOADS, ROUNDS, WINDOW_S, Plan, load_on, measure, running_bench

EXIT_MISSED: Final = 1
EXIT_FAILED: Final = 2

_NAMED: Final = ("aiohttp", "grpcio", "orjson", "protobuf", "uvloop")
_QUICK_ROUNDS: Final = 2
_QUICK_WINDOW_S: Final = 2.0


def main() -> int:
    """0 if all bars hold, 1 if one is missed, 2 if nothing could be measured."""
    options = _parser().parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("this needs two cores: one for what is measured, one for the load", file=sys.stderr)
        return EXIT_FAILED
    os.sched_setaffinity(0, {cores[1]})
    try:
        if options.hold:
            uvloop.run(_hold(options.hold, cores[0], options.seconds))
            return 0
        plan = Plan(
            core=cores[0],
            loads=tuple(options.only or LOADS),
            rounds=options.rounds or (_QUICK_ROUNDS if options.quick else ROUNDS),
            window_s=options.window or (_QUICK_WINDOW_S if options.quick else WINDOW_S),
            soak=options.soak,
        )
        figures = uvloop.run(measure(plan, lambda line: print(line, file=sys.stderr, flush=True)))
    except LoadError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    print(table(figures))
    if options.json:
        options.json.write_bytes(orjson.dumps(_facts(plan, figures), option=orjson.OPT_INDENT_2))
    return 0 if all(figure.passes for figure in figures) else EXIT_MISSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few, short rounds: for a look while developing")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"how many rounds; {ROUNDS}")
    parser.add_argument("--window", type=float, metavar="S", help=f"seconds of each measurement; {WINDOW_S:g}")
    parser.add_argument("--only", action="append", choices=LOADS, help="one load; may be repeated")
    parser.add_argument("--soak", action="store_true", help="then 100,000 requests, looking at memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value there")
    parser.add_argument("--hold", choices=LOADS, help="measure nothing; keep this load on the gateway for a profiler")
    parser.add_argument("--seconds", type=float, default=60, metavar="S", help="for how long to hold; 60")
    return parser


async def _hold(kind: str, core: int, seconds: float) -> None:
    async with running_bench(core) as bench, load_on(bench.gateway, kind) as load:
        print(f"gateway {bench.gateway.process.pid}, bare proxy {bench.proxy.process.pid}", flush=True)
        await asyncio.sleep(seconds)
        load.check()
        print(f"{load.answers} answers")


def _facts(plan: Plan, figures: list[Figure]) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": {name: version(name) for name in _NAMED},
        "rounds": plan.rounds,
        "window_s": plan.window_s,
        "figures": [figure.facts() for figure in figures],
    }


if __name__ == "__main__":
    sys.exit(main())
