"""Sessions with the real engine and providers on real sockets: what becomes of each request, and of its account."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from grpc_serving import becomes_true
from running_gateway import RunningGateway, running_gateway, settings_for
from session_client import session_with
from session_socket import SocketWire
from session_wire import append, cancel, credit, start
from trunkline.secret import Secret
from trunkline.v1 import (
    AttemptOutcome,
    CompleteRequest,
    ConverseRequest,
    ErrorReason,
    Priority,
    Routing,
    StartCommand,
    UpdateCommand,
)
from trunkline_server.governance.keys import digest_of
from trunkline_server.ledger.access_log import request_entry
from upstream import Answer, Call, Script, Upstream, chunk, fails, hangs, running_upstream, streams


async def breaks_off(answer: Answer) -> None:
    """Says a word and resets the connection."""
    await answer.start_stream()
    await answer.frame(chunk({"role": "assistant", "content": "half "}))
    await asyncio.sleep(0.02)
    answer.reset()


async def speaks_nonsense(answer: Answer) -> None:
    """An answer that is none."""
    await answer.json(b"<html>", 200)


FAULTS: dict[str, tuple[Script, "ErrorReason.ValueType"]] = {
    "refuses": (fails(400, {"message": "no"}), ErrorReason.ERROR_REASON_REJECTED_BY_PROVIDER),
    "fails": (fails(500, {"message": "no"}), ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE),
    "throttles": (fails(429, {"message": "no"}), ErrorReason.ERROR_REASON_PROVIDER_THROTTLED),
    "breaks off": (breaks_off, ErrorReason.ERROR_REASON_PROVIDER_BAD_ANSWER),
    "speaks nonsense": (speaks_nonsense, ErrorReason.ERROR_REASON_PROVIDER_BAD_ANSWER),
    "hangs": (hangs(), ErrorReason.ERROR_REASON_DEADLINE),
}


KEY = "tl-key-of-a-client-0123456789"


def asked(call: Call) -> str:
    """The last thing said to the provider."""
    return str(call.json["messages"][-1]["content"])


@asynccontextmanager
async def conversing(
    script: Script,
    **settings: Any,  # noqa: ANN401 as settings_for takes it
) -> AsyncIterator[tuple[SocketWire, RunningGateway, Upstream]]:
    """A session with a gateway whose one provider follows the script."""
    async with (
        running_upstream(script) as upstream,
        running_gateway(settings_for({"a": upstream.base_url}, **settings)) as gateway,
        session_with(gateway, key=KEY) as wire,
    ):
        yield wire, gateway, upstream


def timed(name: str, timeout_ms: int, prompt: str = "p", **command: object) -> ConverseRequest:
    """A request of model "m" with a deadline of its own."""
    request = CompleteRequest(model="m", prompt=prompt, routing=Routing(timeout_ms=timeout_ms))
    return ConverseRequest(request_id=name, start=StartCommand(request=request, **command))  # type: ignore[arg-type] # by name, as they come


FOREVER = streams(["word "], pause_s=0.002, forever=True)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_upstream_is_a_typed_error_of_its_request_alone(fault: str) -> None:
    script, reason = FAULTS[fault]

    async def by_prompt(answer: Answer) -> None:
        if asked(answer.call) == "trouble":
            await script(answer)
        else:
            await streams(["all", "well"])(answer)

    async with conversing(by_prompt) as (wire, gateway, upstream):
        wire.send(start("y"))
        await upstream.wait_for_calls(1)  # before its provider is spared for what becomes of the other
        wire.send(timed("x", 400, "trouble", conversation_id="k"))
        transcript = await wire.ended("x", "y")
        # The provider may be spared for a while, so that is asked of another.
        again = StartCommand(request=CompleteRequest(model="echo", prompt="all well"))
        wire.send(append("z", "k"), ConverseRequest(request_id="x", start=again))
        await wire.until(lambda: transcript.ends() == {"x": "finished", "y": "finished"})
    (failed,) = [events[-1].failed for _, events in transcript.answers if events[-1].HasField("failed")]
    assert failed.failure.reason == reason
    assert failed.report.attempts
    assert transcript.text("y") == transcript.text("x") == "all well"
    assert [(notice.request_id, notice.failure.reason) for notice in transcript.rejected] == [
        ("z", ErrorReason.ERROR_REASON_NOT_FOUND)
    ]
    assert len(gateway.ledger.records) == 3


async def test_cancel_closes_the_providers_connection_and_tells_what_was_used() -> None:
    async with conversing(FOREVER) as (wire, gateway, upstream):
        wire.send(start("a"), start("b", credit=10))
        await wire.until(lambda: len(wire.transcript.answers) == 2 and len(wire.transcript.text("a")) > 50)
        wire.send(cancel("a"), cancel("b"))
        transcript = await wire.ended("a", "b")
        async with asyncio.timeout(2):
            await asyncio.gather(*(call.closed.wait() for call in upstream.calls))
    for _, events in transcript.answers:
        failed = events[-1].failed
        assert failed.failure.reason == ErrorReason.ERROR_REASON_CANCELLED
        assert failed.usage.output_tokens
        assert [attempt.outcome for attempt in failed.report.attempts] == [AttemptOutcome.ATTEMPT_OUTCOME_CANCELLED]
    reasons = [record.failure.reason for record in gateway.ledger.records if record.failure is not None]
    assert reasons == [ErrorReason.ERROR_REASON_CANCELLED] * 2


async def test_leaving_closes_every_providers_connection() -> None:
    async with conversing(FOREVER) as (wire, gateway, upstream):
        wire.send(start("a"), start("b", credit=10), start("c", conversation="k"))
        await upstream.wait_for_calls(3)
        await wire.close()
        await upstream.wait_until_idle()
        assert await becomes_true(lambda: len(gateway.ledger.records) == 3)


async def test_exhausted_credit_stops_reading_that_provider_alone() -> None:
    sent = {"slow": 0, "fast": 0}

    async def counts(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame(chunk({"role": "assistant", "content": ""}))
        for _ in range(500):
            await answer.frame(chunk({"content": "x" * 20_000}))
            sent[asked(answer.call)] += 1
        await answer.frame(chunk({}, finish_reason="stop"))
        await answer.frame(b"[DONE]")
        await answer.end_stream()

    async with conversing(counts) as (wire, _, _):
        wire.send(start("s", "slow", credit=1000), start("f", "fast"))
        transcript = await wire.ended("f")
        assert len(transcript.text("f")) == 500 * 20_000
        assert sent["slow"] < 450  # what fits between the provider's socket and the session
        before = len(transcript.text("s"))
        await wire.settled()
        assert len(transcript.text("s")) == before < 200_000
        wire.send(credit("s", 1024**3))
        await wire.ended("s")
        assert len(transcript.text("s")) == 500 * 20_000


async def test_a_deadline_passes_while_a_request_is_held() -> None:
    async with conversing(FOREVER) as (wire, _, upstream):
        wire.send(timed("a", 200, credit_bytes=10))
        transcript = await wire.ended("a")
        await upstream.wait_until_idle()
    assert transcript.answers[0][1][-1].failed.failure.reason == ErrorReason.ERROR_REASON_DEADLINE


ONE_AT_A_TIME = {"a/m": {"max_concurrent": 1}}


async def test_a_new_priority_moves_a_request_in_its_queue() -> None:
    release = asyncio.Event()

    async def waits(answer: Answer) -> None:
        await release.wait()
        await streams(["well"])(answer)

    async with conversing(waits, targets=ONE_AT_A_TIME) as (wire, gateway, upstream):
        wire.send(start("a", "first"))
        await upstream.wait_for_calls(1)
        wire.send(start("b", "second"), start("c", "third"))
        assert await becomes_true(lambda: gateway.core.engine.queued("a/m") == 2)
        wire.send(ConverseRequest(request_id="c", update=UpdateCommand(priority=Priority.PRIORITY_HIGH)))
        await wire.settled()
        release.set()
        await wire.ended("a", "b", "c")
    assert [asked(call) for call in upstream.calls] == ["first", "third", "second"]


async def test_a_queued_request_can_be_cancelled() -> None:
    async with conversing(hangs(), targets=ONE_AT_A_TIME) as (wire, gateway, upstream):
        wire.send(start("a"), start("b"))
        assert await becomes_true(lambda: gateway.core.engine.queued("a/m") == 1)
        wire.send(cancel("b"))
        await wire.ended("b")
        assert gateway.core.engine.queued("a/m") == 0
        wire.send(cancel("a"))
        await wire.ended("a")
    assert len(upstream.calls) == 1


async def test_each_request_is_authorized_on_its_own() -> None:
    keys = [{"name": "k", "digest": digest_of(Secret(KEY)), "models": ["m"]}]
    async with conversing(streams(["well"]), keys=keys) as (wire, gateway, _):
        other = StartCommand(request=CompleteRequest(model="echo", prompt="p"))
        wire.send(ConverseRequest(request_id="x", start=other), start("y"))
        transcript = await wire.ended("x", "y")
    failures = {name: events[-1].failed.failure.reason for name, events in transcript.answers}
    assert failures == {"x": ErrorReason.ERROR_REASON_NOT_ALLOWED, "y": ErrorReason.ERROR_REASON_UNSPECIFIED}
    assert {record.principal.key for record in gateway.ledger.records} == {"k"}
    assert len({record.request_id for record in gateway.ledger.records}) == 2
    entries = [request_entry(record) for record in gateway.ledger.records]
    assert {entry["session_id"] for entry in entries} == {transcript.responses[0].opened.session_id}


async def test_a_conversation_is_sent_whole_to_the_provider() -> None:
    async with conversing(streams(["well"])) as (wire, _, upstream):
        wire.send(start("a", "one", conversation="k"))
        await wire.ended("a")
        wire.send(append("b", "k", "two"))
        transcript = await wire.ended("b")
    said = [(message["role"], message["content"]) for message in upstream.calls[1].json["messages"]]
    assert said == [("user", "one"), ("assistant", "well"), ("user", "two")]
    assert [(state.messages, state.kept) for state in transcript.conversations] == [(2, True), (4, True)]


async def test_a_gateway_that_shuts_down_ends_what_still_runs_with_its_account() -> None:
    async with conversing(hangs()) as (wire, gateway, upstream):
        wire.send(start("a"), start("b", credit=0))
        await upstream.wait_for_calls(1)
        await asyncio.gather(gateway.core.engine.drain(0.1), gateway.surface.drain(1))
        await wire.over()
        assert (await wire.call.code()).name == "OK"
    failures = {name: events[-1].failed for name, events in wire.transcript.answers}
    assert {failed.failure.reason for failed in failures.values()} == {ErrorReason.ERROR_REASON_SHUTTING_DOWN}
    assert failures["a"].report.attempts
