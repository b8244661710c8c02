"""The 16 failure scenarios: what the providers do and what the client must get. Tests and the scorecard share it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

from anthropic_spelling import AnthropicSpelling
from chat_spelling import ChatSpelling
from faults import CUT_AFTER, TEXT, WORDS, Faults, Spelling, Tokens
from gemini_spelling import GeminiSpelling
from running_gateway import RunningGateway, running_gateway, settings_for
from survival_client import Got, Surface, ask
from trunkline_server.providers.kinds import KINDS
from upstream import Answer, Script, Upstream, in_turn, running_upstream

Grade = Literal["pass", "partial", "safe", "fail"]

_SPELLINGS: tuple[Spelling, ...] = (ChatSpelling(), GeminiSpelling(), AnthropicSpelling())
WIRES = tuple(spelling for spelling in _SPELLINGS if spelling.kind in KINDS)
"""The wire languages that the scenarios are played in: those that the gateway knows a provider of."""

TIMEOUT_S = 30.0
PRIMARY, FALLBACK = "primary/m-primary", "fallback/m-fallback"

SETTINGS: Mapping[str, Any] = {
    "retries": {"max_retries": 2},
    "timeouts": {"total_s": TIMEOUT_S, "first_token_s": 10, "idle_s": 10},
    "targets": {
        # Windows are known and the same: what does not fit the one does not fit the other.
        PRIMARY: {"max_input_tokens": 1000},
        FALLBACK: {"prefill": True, "max_input_tokens": 1000},
    },
}
"""One primary, at most 2 retries, 30 s in all, one fallback."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a scenario went."""

    grade: Grade
    why: str = ""


@dataclass(slots=True)
class Stage:
    """A running scenario: two providers and a gateway before them."""

    primary: Upstream
    fallback: Upstream
    gateway: RunningGateway
    called_at: list[float] = field(default_factory=list)
    """When the primary was called, on the loop's clock."""
    state: dict[str, bool] = field(default_factory=dict)


Claims = Callable[[Got, Stage], list[str]]
"""What is not as it must be."""
Drive = Callable[[Stage, Surface, bool], Awaitable[list[Got]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the table."""

    id: str
    title: str
    primary: Callable[[Faults], Script]
    fallback: Callable[[Faults], Script] = lambda faults: faults.well()
    continuation: str = "prefill"
    wants: str = "answer"
    """ "answer": all words and a finish; "filtered": what was said and why it ended; else the reason of an error."""
    claims: Claims = lambda got, stage: []
    """Beyond that, how the answer must have come about."""
    bound_s: float = TIMEOUT_S
    """The longest it may take."""
    drive: Drive | None = None
    """How the requests are made, where it is more than one."""


async def run(scenario: Scenario, surface: Surface, wire: Spelling = WIRES[0], *, stream: bool) -> Verdict:
    """Plays a scenario on the running loop's clock, with providers that speak `wire`."""
    primary = Faults(wire, "m-primary-2026", Tokens(11, 60))
    fallback = Faults(wire, "m-fallback-2026", Tokens(13, 61))
    async with AsyncExitStack() as stack:
        called_at: list[float] = []
        upstreams = [
            await stack.enter_async_context(running_upstream(_timed(scenario.primary(primary), called_at))),
            await stack.enter_async_context(running_upstream(scenario.fallback(fallback))),
        ]
        settings = settings_for(
            {"primary": upstreams[0].base_url, "fallback": upstreams[1].base_url},
            models={"m": [PRIMARY, FALLBACK]},
            kind=wire.kind,
            **SETTINGS,
        )
        model = settings.models["m"].model_copy(update={"continuation": scenario.continuation})
        settings = settings.model_copy(update={"models": {"m": model}})
        gateway = await stack.enter_async_context(running_gateway(settings))
        stage = Stage(upstreams[0], upstreams[1], gateway, called_at)
        drive = scenario.drive or _once
        return _judge(scenario, await drive(stage, surface, stream), stage)


async def _once(stage: Stage, surface: Surface, stream: bool) -> list[Got]:
    return [await ask(stage.gateway, surface, stream=stream)]


def _timed(script: Script, called_at: list[float]) -> Script:
    async def timed(answer: Answer) -> None:
        called_at.append(asyncio.get_running_loop().time())
        await script(answer)

    return timed


def _judge(scenario: Scenario, all_got: list[Got], stage: Stage) -> Verdict:
    grades = [_grade(scenario, got, stage) for got in all_got]
    order: tuple[Grade, ...] = ("fail", "safe", "partial", "pass")
    return min(grades, key=lambda verdict: order.index(verdict.grade))


def _grade(scenario: Scenario, got: Got, stage: Stage) -> Verdict:
    if got.hung:
        return Verdict("fail", "no end came")
    if got.complete and got.finish == "stop" and got.text != TEXT:
        return Verdict("fail", f"{len(got.text.split())} of {len(WORDS)} words as if they were all")
    if not TEXT.startswith(got.text):
        return Verdict("fail", "words that nobody said")
    broken = scenario.claims(got, stage)
    if got.took_s > scenario.bound_s:
        broken.append(f"it took {got.took_s:.1f} s")
    if scenario.wants == "answer":
        if got.error:
            return Verdict("safe", f"{got.error}: {got.message}")
        if got.finish != "stop":
            return Verdict("fail", f"it ended with {got.finish or 'nothing'}")
    elif scenario.wants == "filtered":
        if got.error not in ("", "content_filter") or (not got.error and got.finish != "content_filter"):
            return Verdict("fail", f"the refusal was lost: {got.error or got.finish}")
    elif got.error != scenario.wants:
        return Verdict("fail", f"{got.error or 'an answer'} instead of {scenario.wants}: {got.message}")
    return Verdict("partial", "; ".join(broken)) if broken else Verdict("pass")


# What the scenarios claim.


def _counts(primary: int | None = None, fallback: int | None = None) -> Claims:
    """How often each provider was called."""

    def claims(got: Got, stage: Stage) -> list[str]:
        found = []
        for name, wanted, upstream in (("primary", primary, stage.primary), ("fallback", fallback, stage.fallback)):
            if wanted is not None and len(upstream.calls) != wanted:
                found.append(f"the {name} was called {len(upstream.calls)} times, not {wanted}")
        return found

    return claims


def _waited(got: Got, stage: Stage) -> list[str]:
    found = _counts(primary=2, fallback=0)(got, stage)
    if len(stage.called_at) > 1 and (gap := stage.called_at[1] - stage.called_at[0]) < 1.8:
        found.append(f"it waited {gap:.2f} s of 2")
    return found


def _usage_kept(got: Got, stage: Stage) -> list[str]:
    return [] if got.tokens == (11, 60) else [f"usage {got.tokens}"]


def _names_who_answered(got: Got, stage: Stage) -> list[str]:
    found = []
    if got.model != "m-fallback-2026":
        found.append(f"model {got.model!r}")
    if got.tokens != (13, 61):
        found.append(f"usage {got.tokens}")
    if got.target != FALLBACK:
        found.append(f"target {got.target!r}")
    return found


def _not_sent_again(got: Got, stage: Stage) -> list[str]:
    return _counts(primary=1, fallback=0)(got, stage)


def _without_the_refusal(got: Got, stage: Stage) -> list[str]:
    return ["the refused prefill shows"] if "prefill" in got.message else []


OUTAGE_S, REQUESTS, HEALED_WITHIN_S = 60.0, 20, 30.0


def _outage(faults: Faults) -> Script:
    """Down for OUTAGE_S from its first call on."""
    down_until: float | None = None

    async def script(answer: Answer) -> None:
        nonlocal down_until
        now = asyncio.get_running_loop().time()
        if down_until is None:
            down_until = now + OUTAGE_S
        await (faults.refuses(503) if now < down_until else faults.well())(answer)

    return script


async def _through_the_outage(stage: Stage, surface: Surface, stream: bool) -> list[Got]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    found = []
    for number in range(REQUESTS):
        await asyncio.sleep(max(0.0, began + number * OUTAGE_S / REQUESTS - loop.time()))
        found.append(await ask(stage.gateway, surface, stream=stream))
    await asyncio.sleep(max(0.0, began + OUTAGE_S + 1 - loop.time()))
    healed = loop.time()
    while loop.time() < healed + HEALED_WITHIN_S:
        got = await ask(stage.gateway, surface, stream=stream)
        found.append(got)
        if got.target == PRIMARY:
            stage.state["healed"] = True
            break
        await asyncio.sleep(2.0)
    return found


def _back_on_the_primary(got: Got, stage: Stage) -> list[str]:
    return [] if stage.state.get("healed") else [f"not back on the primary within {HEALED_WITHIN_S:.0f} s"]


TABLE: tuple[Scenario, ...] = (
    Scenario(
        id="S01",
        title="429 with Retry-After 2",
        primary=lambda faults: in_turn(faults.refuses(429, retry_after="2"), faults.well()),
        claims=_waited,
    ),
    Scenario(
        id="S02",
        title="429 always",
        primary=lambda faults: faults.refuses(429, retry_after="2"),
        claims=_counts(fallback=1),
    ),
    Scenario(
        id="S03",
        title="500 once",
        primary=lambda faults: in_turn(faults.refuses(500), faults.well()),
        claims=_counts(primary=2, fallback=0),
    ),
    Scenario(id="S04", title="503 always", primary=lambda faults: faults.refuses(503), claims=_counts(fallback=1)),
    Scenario(id="S05", title="TCP reset", primary=lambda faults: faults.resets()),
    Scenario(
        id="S06",
        title="silence of 120 s",
        primary=lambda faults: faults.silent(120),
        claims=_counts(primary=1, fallback=1),
    ),
    Scenario(
        id="S07",
        title="first token after 20 s",
        primary=lambda faults: faults.well(first_after_s=20),
        claims=_counts(primary=1, fallback=1),
        bound_s=15.0,
    ),
    Scenario(id="S08", title=f"cut after {CUT_AFTER} of {len(WORDS)} words", primary=lambda faults: faults.cut()),
    Scenario(id="S09", title="stalls for 30 s midway", primary=lambda faults: faults.stalls(30)),
    Scenario(
        id="S10",
        title="one malformed chunk",
        primary=lambda faults: faults.unreadable_once_whole(),
        claims=_counts(fallback=0),
    ),
    Scenario(
        id="S11",
        title="no [DONE]",
        primary=lambda faults: faults.well(end=False),
        claims=_usage_kept,
        bound_s=5.0,
    ),
    Scenario(
        id="S12",
        title="context overflow",
        primary=lambda faults: faults.refuses(400, kind="context"),
        wants="context_length_exceeded",
        claims=_not_sent_again,
    ),
    Scenario(
        id="S13",
        title="content filter",
        primary=lambda faults: faults.filtered(),
        wants="filtered",
        claims=_not_sent_again,
    ),
    Scenario(
        id="S14",
        title="cut, and the fallback refuses prefill",
        primary=lambda faults: faults.cut(),
        fallback=lambda faults: faults.well(prefill=False),
        continuation="restart",
        claims=_without_the_refusal,
    ),
    Scenario(
        id="S15",
        title=f"down for {OUTAGE_S:.0f} s, {REQUESTS} requests",
        primary=_outage,
        claims=_back_on_the_primary,
        drive=_through_the_outage,
    ),
    Scenario(
        id="S16",
        title="says who answered",
        primary=lambda faults: faults.refuses(503),
        claims=_names_who_answered,
    ),
)
"""All scenarios."""
