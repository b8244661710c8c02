"""What it costs to choose a target among many, beside reading a request body."""

import random
import time
from collections.abc import Callable
from typing import Final

import orjson

from benchmarks.figures import Ratio
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target
from trunkline_server.routing.course import Course
from trunkline_server.routing.health import ProcessHealth
from trunkline_server.routing.plan import Plan

TARGETS: Final = 50
BODY_BYTES: Final = 20_000
_CALLS: Final = 2000
_FOREVER_S: Final = 1e9


def choosing(rounds: int) -> list[Ratio]:
    """Choosing the first of 50 healthy targets, and the last where the other 49 are cooling."""
    targets = [
        Target.of(Provider(name=f"p{number}", kind=KINDS["openai_compatible"], base_url="http://127.0.0.1"), "m")
        for number in range(TARGETS)
    ]
    body = _body()
    well = Ratio(f"choosing among {TARGETS}, all well", "us", bar=1.3)
    cooling = Ratio(f"choosing among {TARGETS}, 49 cooling", "us", bar=1.3)
    for _ in range(rounds):
        base_us = _cost_us(lambda: orjson.loads(body))
        for figure, sick in ((well, 0), (cooling, TARGETS - 1)):
            figure.gateway.append(_cost_us(_choice(Plan("m", targets), sick)))
            figure.baseline.append(base_us)
    return [well, cooling]


def _choice(plan: Plan, sick: int) -> Callable[[], object]:
    store, rng = ProcessHealth(), random.Random(1)  # noqa: S311 it must be repeatable
    for target in plan.targets[:sick]:
        store.of(target).cool(0, _FOREVER_S, 0.0)

    def choose() -> None:
        course = Course(plan, store, rng, deadline=_FOREVER_S, stream=False)
        course.next(1.0)
        course.abandoned()

    return choose


def _body() -> bytes:
    messages: list[dict[str, str]] = []
    while len(body := orjson.dumps({"model": "m", "messages": messages})) < BODY_BYTES:
        messages.append({"role": "user", "content": "What was said in some earlier turn of this conversation. " * 3})
    return body


def _cost_us(call: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(_CALLS):
        call()
    return (time.process_time() - began) / _CALLS * 1e6
