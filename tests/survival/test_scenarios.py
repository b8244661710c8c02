"""The 16 failure scenarios at 50 times their pace; `make scorecard` plays the same table in real time."""

import asyncio

import pytest

import scorecard
import survival_table
from faults import Spelling
from scaled_time import scaled_loop
from survival_client import SURFACES, Surface
from survival_table import TABLE, WIRES, Scenario, Verdict, run

SCALE = 50


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.kind)
@pytest.mark.parametrize("scenario", TABLE, ids=lambda scenario: scenario.id)
def test_scenario(scenario: Scenario, wire: Spelling, surface: Surface, stream: bool) -> None:
    with asyncio.Runner(loop_factory=scaled_loop(SCALE)) as runner:
        assert runner.run(run(scenario, surface, wire, stream=stream)) == Verdict("pass")


def test_the_scorecard_plays_the_same_table() -> None:
    assert vars(scorecard)["survival_table"] is survival_table
    assert [scenario.id for scenario in TABLE] == [f"S{number:02}" for number in range(1, 17)]
