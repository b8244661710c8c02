"""A short storm; `make chaos` is the long one."""

from chaos import complaints, storm


async def test_in_a_storm_everybody_gets_a_whole_answer_or_one_typed_error() -> None:
    tally, ledger, before, after = await storm(seconds=3, streams=30, seed=7)
    assert complaints(tally, ledger, before, after, pooled=40) == []
    assert tally.ends["answer"] > 30
    assert ledger.requests >= sum(tally.ends.values()) - tally.ends["left"]
