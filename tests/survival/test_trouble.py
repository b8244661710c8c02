"""Trouble beyond the 16 scenarios: always a whole answer or one typed error, never a fragment as if it were all."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from chat_spelling import ChatSpelling
from faults import CUT_AFTER, TEXT, WORDS, Faults, Tokens
from openai_client import HELLO
from running_gateway import RunningGateway, running_gateway, settings_for
from scaled_time import scaled_loop
from survival_client import SURFACES, Surface, ask
from trunkline.v1 import ErrorReason
from upstream import Answer, Script, Upstream, chunk, completion, in_turn, running_upstream

SCALE = 50
PRIMARY = Faults(ChatSpelling(), "m-primary", Tokens(11, 60))
FALLBACK = Faults(ChatSpelling(), "m-fallback", Tokens(13, 61))
LIMITS = {"total_s": 30, "first_token_s": 10, "idle_s": 10}
OTHER_WORDS = TEXT.replace("word7 ", "otherwise ")

both = pytest.mark.parametrize("surface", SURFACES)
either = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@dataclass
class Stage:
    gateway: RunningGateway
    upstreams: list[Upstream]

    @property
    def calls(self) -> list[int]:
        return [len(upstream.calls) for upstream in self.upstreams]


@asynccontextmanager
async def stage(*scripts: Script, keys: list[str] | None = None, **more: Any) -> AsyncIterator[Stage]:  # noqa: ANN401 settings of any kind
    """Providers "a", "b" and so on behind model "m", with two retries."""
    model = more.pop("model", {})
    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(running_upstream(script)) for script in scripts]
        names = "abcdef"[: len(upstreams)]
        values: dict[str, Any] = {"retries": {"max_retries": 2}, "timeouts": LIMITS, **more}
        settings = settings_for({name: up.base_url for name, up in zip(names, upstreams, strict=True)}, **values)
        if keys:
            provider = settings.providers["a"].model_dump() | {"api_key": "", "api_keys": keys}
            settings = type(settings).model_validate(
                {**settings.model_dump(), "providers": {**settings.model_dump()["providers"], "a": provider}}
            )
        settings = settings.model_copy(update={"models": {"m": settings.models["m"].model_copy(update=model)}})
        yield Stage(await stack.enter_async_context(running_gateway(settings)), upstreams)


def play(test: Callable[[], Awaitable[None]]) -> None:
    """Runs it at 50 times its pace."""

    async def main() -> None:
        await test()

    with asyncio.Runner(loop_factory=scaled_loop(SCALE)) as runner:
        runner.run(main())


async def in_band_first(answer: Answer) -> None:
    await answer.start_stream()
    await ChatSpelling().in_band_error(answer)
    await answer.end_stream()


async def in_band_mid(answer: Answer) -> None:
    wire = ChatSpelling()
    await wire.start(answer, "m")
    for index, word in enumerate(WORDS[:CUT_AFTER]):
        await wire.word(answer, word if index == 0 else f" {word}", "m")
    await wire.in_band_error(answer)
    await answer.end_stream()


async def in_band_last(answer: Answer) -> None:
    wire = ChatSpelling()
    await wire.start(answer, "m")
    for index, word in enumerate(WORDS):
        await wire.word(answer, word if index == 0 else f" {word}", "m")
    await wire.in_band_error(answer)
    await answer.end_stream()


async def error_with_200(answer: Answer) -> None:
    await answer.json({"error": {"message": "overloaded", "code": "server_error"}}, 200)


async def html_with_200(answer: Answer) -> None:
    body = b"<html><body>Sign in to the wifi</body></html>"
    await answer.head(200, {"content-type": "text/html", "content-length": str(len(body))})
    await answer.send(body)


async def empty_stream(answer: Answer) -> None:
    await answer.start_stream()
    await answer.end_stream()


async def empty_body(answer: Answer) -> None:
    await answer.head(200, {"content-type": "application/json", "content-length": "0"})


async def short_content_length(answer: Answer) -> None:
    body = orjson.dumps(completion(TEXT))
    await answer.head(200, {"content-type": "application/json", "content-length": str(len(body) - 30)})
    await answer.send(body[:-30])


BEFORE_ANYTHING: list[tuple[str, Script]] = [
    ("in-band error first", in_band_first),
    ("error body with 200", error_with_200),
    ("HTML page with 200", html_with_200),
    ("empty stream", empty_stream),
    ("empty body", empty_body),
    ("short content-length", short_content_length),
    ("reset", PRIMARY.resets()),
    *((str(status), PRIMARY.refuses(status)) for status in (401, 402, 403, 408, 409, 425, 500, 502, 504, 529)),
]


@both
@either
@pytest.mark.parametrize(("name", "script"), BEFORE_ANYTHING, ids=[name for name, _ in BEFORE_ANYTHING])
def test_what_goes_wrong_before_any_content_is_never_seen(
    name: str, script: Script, surface: Surface, stream: bool
) -> None:
    async def test() -> None:
        async with stage(script, FALLBACK.well()) as on:
            got = await ask(on.gateway, surface, stream=stream)
        assert (got.text, got.finish, got.error) == (TEXT, "stop", "")
        assert got.target == "b/m"
        assert len(got.attempts) == sum(on.calls)

    play(test)


@both
@pytest.mark.parametrize("script", [in_band_mid, in_band_last], ids=["mid", "last"])
def test_an_error_inside_a_stream_is_gone_on_from(script: Script, surface: Surface) -> None:
    async def test() -> None:
        async with stage(script, FALLBACK.well(), targets={"b/m": {"prefill": True}}) as on:
            got = await ask(on.gateway, surface, stream=True)
        assert (got.text, got.finish, got.error, got.resumed) == (TEXT, "stop", "", True)
        assert got.attempts == [("a/m", "failed"), ("b/m", "answered")]
        assert got.tokens is not None
        assert got.tokens[1] > 61  # what the first gave is part of the answer, too

    play(test)


def differently(text: str) -> Script:
    async def script(answer: Answer) -> None:
        wire = ChatSpelling()
        await wire.start(answer, "m")
        for index, word in enumerate(text.split()):
            await wire.word(answer, word if index == 0 else f" {word}", "m")
        await wire.finish(answer, "m", Tokens(1, 1))
        await wire.end(answer)

    return script


@both
@pytest.mark.parametrize("text", [OTHER_WORDS, " ".join(WORDS[:20]), "Word1 and so on"], ids=["other", "short", "case"])
def test_a_restart_that_answers_differently_is_an_error_and_never_a_splice(surface: Surface, text: str) -> None:
    async def test() -> None:
        async with stage(PRIMARY.cut(), differently(text), model={"continuation": "restart"}) as on:
            got = await ask(on.gateway, surface, stream=True)
        assert got.error == "provider_bad_answer"
        assert "differently" in got.message
        assert got.text == " ".join(WORDS[:CUT_AFTER])
        assert not got.complete

    play(test)


@both
@pytest.mark.parametrize("continuation", ["off", "prefill"])
def test_what_nobody_can_go_on_with_is_an_error(surface: Surface, continuation: str) -> None:
    async def test() -> None:
        async with stage(PRIMARY.cut(), FALLBACK.well(), model={"continuation": continuation}) as on:
            got = await ask(on.gateway, surface, stream=True)
        assert (got.error, got.text) == ("provider_bad_answer", " ".join(WORDS[:CUT_AFTER]))
        assert not got.complete
        assert on.calls == [1, 0]

    play(test)


@both
def test_a_whole_answer_that_comes_as_a_stream_and_breaks_off_is_begun_anew(surface: Surface) -> None:
    async def streams_anyway(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame(chunk({"role": "assistant", "content": "half of"}))
        await asyncio.sleep(1)
        answer.reset()

    async def test() -> None:
        async with stage(streams_anyway, FALLBACK.well()) as on:
            got = await ask(on.gateway, surface, stream=False)
        assert (got.text, got.finish, got.error, got.resumed) == (TEXT, "stop", "", False)
        assert got.tokens == (13, 61)
        assert [target for target, _ in got.attempts] == ["a/m"] * 3 + ["b/m"]

    play(test)


async def calls_a_tool_and_breaks_off(answer: Answer) -> None:
    await answer.start_stream()
    await answer.frame(chunk({"role": "assistant", "content": "Let me look. "}))
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
    await answer.frame(chunk({"tool_calls": [call]}))
    await asyncio.sleep(1)
    answer.reset()


@both
def test_a_tool_call_is_never_gone_on_with(surface: Surface) -> None:
    async def test() -> None:
        model = {"continuation": "restart"}
        targets = {"b/m": {"prefill": True}}
        async with stage(calls_a_tool_and_breaks_off, FALLBACK.well(), model=model, targets=targets) as on:
            got = await ask(on.gateway, surface, stream=True)
        assert got.error == "provider_bad_answer"
        assert on.calls == [1, 0]

    play(test)


@both
@either
def test_a_key_that_is_refused_is_spared_and_the_other_used(
    surface: Surface, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(answer: Answer) -> None:
        if answer.call.headers["authorization"] == "Bearer sk-dead":
            await PRIMARY.refuses(401)(answer)
        else:
            await PRIMARY.well()(answer)

    async def test() -> None:
        async with stage(script, FALLBACK.well(), keys=["sk-dead", "sk-good"]) as on:
            for _ in range(4):
                got = await ask(on.gateway, surface, stream=stream)
                assert (got.text, got.error, got.target) == (TEXT, "", "a/m")
            keys = [call.headers["authorization"] for call in on.upstreams[0].calls]
        assert keys.count("Bearer sk-dead") == 1
        (alarm,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert alarm.startswith("a/m: ")
        assert "key 1 of 2, status 401" in alarm
        assert "sk-" not in alarm
        assert on.calls == [5, 0]

    play(test)


@both
@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [(400, "", "rejected_by_provider"), (422, "", "rejected_by_provider"), (400, "filter", "content_filter")],
)
def test_what_the_request_itself_is_at_fault_for_is_told_at_once(
    surface: Surface, status: int, kind: str, error: str
) -> None:
    async def test() -> None:
        async with stage(PRIMARY.refuses(status, kind=kind), FALLBACK.well()) as on:
            got = await ask(on.gateway, surface, stream=True)
        # Over REST a provider's own code stands for the reason, where it gave one.
        assert got.error in (error, "invalid_request_error")
        assert on.calls == [1, 0]

    play(test)


@both
@pytest.mark.parametrize("status", [400, 413])
def test_a_prompt_too_large_goes_to_a_larger_window_only(surface: Surface, status: int) -> None:
    async def test() -> None:
        windows = {
            "a/m": {"max_input_tokens": 1000},
            "b/m": {"max_input_tokens": 1000},
            "c/m": {"max_input_tokens": 9000},
        }
        scripts = (PRIMARY.refuses(status, kind="context"), FALLBACK.well(), FALLBACK.well())
        async with stage(*scripts, targets=windows) as on:
            got = await ask(on.gateway, surface, stream=True)
        assert (got.text, got.target) == (TEXT, "c/m")
        assert on.calls == [1, 0, 1]

    play(test)


@both
def test_a_refusal_goes_elsewhere_only_if_the_route_says_so(surface: Surface) -> None:
    async def test() -> None:
        scripts = (PRIMARY.refuses(400, kind="filter"), FALLBACK.well())
        async with stage(*scripts, model={"fall_back_on_refusal": True}) as on:
            got = await ask(on.gateway, surface, stream=True)
        assert (got.text, got.target) == (TEXT, "b/m")

    play(test)


@both
@either
def test_all_targets_down_is_one_error_then_a_true_retry_after(surface: Surface, stream: bool) -> None:
    async def test() -> None:
        async with stage(PRIMARY.refuses(503), FALLBACK.resets()) as on:
            first = await ask(on.gateway, surface, stream=stream)
            assert first.error == "provider_unavailable"
            assert [target for target, _ in first.attempts] == ["a/m"] * 3 + ["b/m"] * 3
            await ask(on.gateway, surface, stream=stream)
            before = on.calls
            spared = await ask(on.gateway, surface, stream=stream)
            assert (spared.error, spared.attempts, on.calls) == ("provider_unavailable", [], before)
            body = {"model": "m", "messages": HELLO}
            async with aiohttp.ClientSession() as session:
                async with session.post(f"{on.gateway.rest_url}/chat/completions", json=body) as response:
                    assert response.status == 503
                    assert 1 <= int(response.headers["retry-after"]) <= 5
                    wait_s = int(response.headers["retry-after-ms"]) / 1000
                await asyncio.sleep(wait_s + 0.5)
                on.upstreams[0].script = PRIMARY.well()
                async with session.post(f"{on.gateway.rest_url}/chat/completions", json=body) as response:
                    assert response.status == 200

    play(test)


@both
def test_a_long_line_a_slow_drip_and_compression_are_read(surface: Surface) -> None:
    long = "x" * (2 * 1024 * 1024)

    async def long_line(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame(chunk({"role": "assistant", "content": long}))
        await answer.frame(chunk({}, finish_reason="stop"))
        await answer.end_stream()

    async def drip(answer: Answer) -> None:
        await answer.start_stream()
        for byte in b"data: " + orjson.dumps(chunk({"content": "drop"})) + b"\n\n":
            await answer.piece(bytes((byte,)))
        await answer.frame(chunk({}, finish_reason="stop"))
        await answer.end_stream()

    async def compressed(answer: Answer) -> None:
        body = b"".join(
            b"data: " + orjson.dumps(data) + b"\n\n"
            for data in (chunk({"content": "zip"}), chunk({}, finish_reason="stop"))
        )
        data = gzip.compress(body)
        await answer.head(
            200,
            {"content-type": "text/event-stream", "content-encoding": "gzip", "content-length": str(len(data))},
        )
        await answer.send(data)

    async def test() -> None:
        for script, text in ((long_line, long), (drip, "drop"), (compressed, "zip")):
            async with stage(script) as on:
                got = await ask(on.gateway, surface, stream=True)
            assert (got.text == text, got.finish, got.error) == (True, "stop", "")

    play(test)


@both
@either
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_the_prompt_never_sent_there(surface: Surface, stream: bool, status: int) -> None:
    async def test() -> None:
        async with running_upstream(FALLBACK.well()) as elsewhere:

            async def redirects(answer: Answer) -> None:
                location = f"{elsewhere.base_url}/chat/completions"
                await answer.head(status, {"location": location, "content-length": "0"})

            async with stage(redirects, retries={"max_retries": 0}) as on:
                got = await ask(on.gateway, surface, stream=stream)
            assert got.error == "provider_bad_answer"
            assert elsewhere.calls == []

    play(test)


@both
def test_headers_and_cookies_stay_on_their_side(surface: Surface) -> None:
    async def script(answer: Answer) -> None:
        headers = {"set-cookie": "vendor=1", "x-vendor-secret": "s", "openai-organization": "org-of-the-operator"}
        await answer.json(completion("hi"), headers=headers)

    async def test() -> None:
        async with stage(script) as on:
            await ask(on.gateway, surface, stream=False)
            headers = {"authorization": "Bearer client-key", "cookie": "session=1", "x-secret": "s", "user-agent": "me"}
            body = {"model": "m", "messages": HELLO}
            told: set[str] = set()
            async with aiohttp.ClientSession(headers=headers) as session:
                for _ in range(2):
                    async with session.post(f"{on.gateway.rest_url}/chat/completions", json=body) as response:
                        told |= {name.lower() for name in response.headers}
                        assert response.status == 200
            assert not told & {"set-cookie", "x-vendor-secret", "openai-organization"}
            for call in on.upstreams[0].calls:
                assert call.headers["authorization"] == "Bearer sk-a"
                assert not call.headers.keys() & {"cookie", "x-secret"}
                assert call.headers["user-agent"] == "trunkline"

    play(test)


# Where a request may be when its caller leaves or its time is up.


def place_called(name: str) -> tuple[list[Script], dict[str, Any]]:
    """The providers and settings that bring a request there."""
    match name:
        case "backoff":
            return [in_turn(PRIMARY.refuses(429, retry_after="3"), PRIMARY.well())], {}
        case "queue":
            return [PRIMARY.silent(3600)], {"targets": {"a/m": {"max_concurrent": 1}}}
        case "fallback":
            return [PRIMARY.refuses(503), FALLBACK.silent(3600)], {"retries": {"max_retries": 0}}
        case "continuation":
            return [PRIMARY.cut(), FALLBACK.silent(3600)], {"targets": {"b/m": {"prefill": True}}}
        case _:
            raise ValueError(name)


PLACES = ("backoff", "queue", "fallback", "continuation")


async def reached(on: Stage, place: str) -> None:
    await on.upstreams[-1].wait_for_calls(1)
    await asyncio.sleep(1.0 if place != "continuation" else 2.5)


@both
@pytest.mark.parametrize("place", PLACES)
def test_a_caller_may_leave_anywhere(surface: Surface, place: str) -> None:
    scripts, more = place_called(place)

    async def test() -> None:
        async with stage(*scripts, **more) as on:
            first = asyncio.create_task(ask(on.gateway, surface, stream=True))
            asked = [first]
            await reached(on, place)
            if place == "queue":
                asked.append(asyncio.create_task(ask(on.gateway, surface, stream=True)))
                async with asyncio.timeout(60):
                    while (await _state(on, "a/m"))["queued"] != 1:  # noqa: ASYNC110 nobody tells of a queue
                        await asyncio.sleep(0.1)
            for task in reversed(asked):
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            for upstream in on.upstreams:
                await upstream.wait_until_idle(1)
            async with asyncio.timeout(60):
                while len(on.gateway.ledger.records) < len(asked):  # noqa: ASYNC110 nobody tells of a settlement
                    await asyncio.sleep(0.1)
            reasons = [record.failure and record.failure.reason for record in on.gateway.ledger.records]
            assert reasons == [ErrorReason.ERROR_REASON_CANCELLED] * len(asked)
            states = [await _state(on, f"{name}/m") for name in "ab"[: len(on.upstreams)]]
            assert [(state["in_flight"], state["queued"]) for state in states] == [(0, 0)] * len(states)
            assert on.gateway.core.engine.admission.requests == 0

    play(test)


@both
@pytest.mark.parametrize("place", PLACES)
def test_the_deadline_holds_everywhere(surface: Surface, place: str) -> None:
    scripts, more = place_called(place)

    async def test() -> None:
        async with stage(*scripts, **more) as on:
            ahead = [asyncio.create_task(ask(on.gateway, surface, stream=True))] if place == "queue" else []
            if ahead:
                await reached(on, place)
            got = await ask(on.gateway, surface, stream=True, timeout_s=2.5)
            assert not got.complete
            assert got.error in ENDS[place]
            assert got.took_s < 4
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    play(test)


# The gateway's word, and REST's for it. A wait that would outlast the deadline is not begun; after the commit point the
# first break is what is told, unless the deadline itself ended the request.
ENDS = {
    "backoff": {"provider_throttled", "rate_limit_exceeded"},
    "queue": {"deadline", "deadline_exceeded"},
    "fallback": {"deadline", "deadline_exceeded"},
    "continuation": {"deadline", "deadline_exceeded"},
}


async def _state(on: Stage, target: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(on.gateway.rest_url.removesuffix("/v1") + "/health/targets") as response,
    ):
        states = (await response.json())["targets"]
    found: dict[str, Any] = next(state for state in states if state["target"] == target)
    return found
