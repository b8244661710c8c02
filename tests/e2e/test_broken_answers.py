"""What providers get wrong: each case is a whole answer or one typed error, never a fragment taken for an answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

import trunkline
from openai_client import HELLO, openai_client
from running_gateway import FORMS, Form, running_gateway, settings_for
from trunkline.errors import (
    ContextLengthError,
    GatewayError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderSilentError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
)
from trunkline.v1 import CompleteRequest, NoteAction
from upstream import USAGE, Answer, answers, chunk, completion, fails, in_turn, running_upstream

Script = Callable[[Answer], Awaitable[None]]


async def _begin(answer: Answer) -> None:
    await answer.start_stream()
    await answer.frame(chunk({"role": "assistant", "content": ""}))
    await answer.frame(chunk({"content": "half an"}))
    await asyncio.sleep(0.02)


async def cut_by_reset(answer: Answer) -> None:
    await _begin(answer)
    answer.reset()


async def ended_without_finish(answer: Answer) -> None:
    await _begin(answer)
    await answer.end_stream()


async def done_without_finish(answer: Answer) -> None:
    await _begin(answer)
    await answer.frame(b"[DONE]")
    await answer.end_stream()


async def error_in_stream(answer: Answer) -> None:
    await _begin(answer)
    await answer.frame({"error": {"message": "overloaded", "type": "server_error", "code": "server_error"}})
    await answer.end_stream()


async def stalls(answer: Answer) -> None:
    await _begin(answer)
    await asyncio.Event().wait()


async def held_open(answer: Answer) -> None:
    await _begin(answer)
    await answer.frame(chunk({"content": " answer"}))
    await answer.frame(chunk({}, finish_reason="stop", usage=USAGE))
    await asyncio.Event().wait()


async def reset_after_the_end(answer: Answer) -> None:
    await _begin(answer)
    await answer.frame(chunk({"content": " answer"}))
    await answer.frame(chunk({}, finish_reason="stop"))
    await asyncio.sleep(0.02)
    answer.reset()


async def malformed_event(answer: Answer) -> None:
    await _begin(answer)
    await answer.frame(b'{"choices": [{"index": 0, "del')
    await answer.frame(chunk({"content": " answer"}))
    await answer.frame(chunk({}, finish_reason="stop", usage=USAGE))
    await answer.frame(b"[DONE]")
    await answer.end_stream()


async def empty_stream(answer: Answer) -> None:
    await answer.start_stream()
    await answer.end_stream()


async def only_done(answer: Answer) -> None:
    await answer.start_stream()
    await answer.frame(b"[DONE]")
    await answer.end_stream()


async def html(answer: Answer) -> None:
    await answer.json(b"<html>Welcome</html>", headers={"content-type": "text/html"})


async def error_with_200(answer: Answer) -> None:
    await answer.json({"error": {"message": "no capacity", "type": "server_error", "code": None}})


async def whole_for_a_stream(answer: Answer) -> None:
    await answer.json(completion("half an answer"))


async def redirects(answer: Answer) -> None:
    await answer.json({}, 302, {"location": "http://127.0.0.1:1/v1"})


async def not_json(answer: Answer) -> None:
    await answer.json(b'{"choices": [')


async def head_only(answer: Answer) -> None:
    await answer.start_stream()
    await asyncio.Event().wait()


async def _begin_refusal(answer: Answer) -> None:
    headers = {"content-type": "application/json", "content-length": "100", "retry-after": "7"}
    await answer.head(429, headers)
    await answer.send(b'{"error":')
    await asyncio.sleep(0.02)


async def stalled_refusal(answer: Answer) -> None:
    await _begin_refusal(answer)
    await asyncio.Event().wait()


async def cut_refusal(answer: Answer) -> None:
    await _begin_refusal(answer)
    answer.reset()


async def short_refusal(answer: Answer) -> None:
    await _begin_refusal(answer)
    answer.hang_up()


async def stalled_body(answer: Answer) -> None:
    await answer.head(200, {"content-type": "application/json", "content-length": "1000"})
    await answer.send(b'{"choices":')
    await asyncio.Event().wait()


FRAGMENTS = [
    (cut_by_reset, ProviderBadAnswerError),
    (ended_without_finish, ProviderBadAnswerError),
    (done_without_finish, ProviderBadAnswerError),
    (error_in_stream, ProviderUnavailableError),
    (stalls, ProviderSilentError),
]
WHOLE = [held_open, reset_after_the_end, malformed_event, whole_for_a_stream]
NOTHING = [empty_stream, only_done, html, error_with_200, redirects, not_json]


async def stream_of(client: trunkline.AsyncClient, request: CompleteRequest) -> tuple[str, GatewayError | None]:
    """The text that came, and how the stream failed if it did."""
    text = ""
    try:
        async with client.stream(request) as events:
            async for event in events:
                text += event.text or event.part_started.text
    except GatewayError as error:
        return text, error
    return text, None


async def read_into(got: list[ChatCompletionChunk], parts: AsyncIterator[ChatCompletionChunk]) -> None:
    """Keeps what came before a stream breaks."""
    async for part in parts:
        got.append(part)  # noqa: PERF401 a comprehension would lose what came before the break


@pytest.mark.parametrize(("script", "error"), FRAGMENTS)
@pytest.mark.parametrize("form", FORMS)
async def test_a_fragment_ends_with_a_typed_error(form: Form, script: Script, error: type[GatewayError]) -> None:
    async with (
        running_upstream(script) as up,
        running_gateway(settings_for({"a": up.base_url}, timeouts={"idle_s": 0.15}), form=form) as gateway,
    ):
        async with trunkline.AsyncClient(gateway.grpc_address) as client:
            text, failure = await stream_of(client, CompleteRequest(model="m", prompt="Hi"))
        assert (text, type(failure)) == ("half an", error)

        got: list[ChatCompletionChunk] = []
        async with openai_client(gateway) as rest:
            parts = await rest.chat.completions.create(model="m", messages=HELLO, stream=True)
            with pytest.raises(openai.APIError):
                await read_into(got, parts)
        assert [part.choices[0].finish_reason for part in got] == [None] * len(got)
        assert "".join(part.choices[0].delta.content or "" for part in got) == "half an"

        connector = gateway.core.http.session.connector
        assert connector is not None
        assert not connector._acquired
        for record in gateway.ledger.records:
            assert record.failure is not None
            assert record.usage is not None
            assert record.usage.estimated
            assert record.usage.output_tokens == 2


@pytest.mark.parametrize("script", WHOLE)
@pytest.mark.parametrize("form", FORMS)
async def test_an_answer_that_came_whole_is_given_whole(form: Form, script: Script) -> None:
    async with running_upstream(script) as up, running_gateway(settings_for({"a": up.base_url}), form=form) as gateway:
        async with trunkline.AsyncClient(gateway.grpc_address) as client:
            text, failure = await stream_of(client, CompleteRequest(model="m", prompt="Hi"))
        assert (text, failure) == ("half an answer", None)
        async with openai_client(gateway) as rest:
            stream = await rest.chat.completions.create(model="m", messages=HELLO, stream=True)
            parts = [part async for part in stream]
        assert "".join(part.choices[0].delta.content or "" for part in parts) == "half an answer"
        assert parts[-1].choices[0].finish_reason == "stop"
        await up.wait_until_idle(open_connections=2)


async def test_a_malformed_event_is_noted_and_refused_when_strict() -> None:
    async with (
        running_upstream(malformed_event) as up,
        running_gateway(settings_for({"a": up.base_url})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        request = CompleteRequest(model="m", prompt="Hi")
        async with client.stream(request) as events:
            reports = [event.finished.report async for event in events if event.HasField("finished")]
        assert [note.field for note in reports[0].attempts[0].notes] == ["malformed_event_skipped"]
        request.routing.strict = True
        text, failure = await stream_of(client, request)
        assert (text, type(failure)) == ("half an", ProviderBadAnswerError)


@pytest.mark.parametrize("script", NOTHING)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_no_answer_is_an_error_before_anything_is_sent(script: Script, stream: bool) -> None:
    async with running_upstream(script) as up, running_gateway(settings_for({"a": up.base_url})) as gateway:
        async with openai_client(gateway) as rest:
            with pytest.raises(openai.InternalServerError) as caught:
                await rest.chat.completions.create(model="m", messages=HELLO, stream=stream)
        assert caught.value.status_code in (502, 503)
        assert "<html>" not in caught.value.message
        assert len(up.calls) == 1


@pytest.mark.parametrize(("script", "stream"), [(head_only, True), (stalled_body, False)])
async def test_a_provider_that_falls_silent_before_any_content_is_given_up_in_time(
    script: Script, stream: bool
) -> None:
    limits = {"first_token_s": 0.15, "idle_s": 0.15}
    async with (
        running_upstream(script) as up,
        running_gateway(settings_for({"a": up.base_url}, timeouts=limits)) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        request = CompleteRequest(model="m", prompt="Hi")
        with pytest.raises(ProviderSilentError):
            await (client.stream(request).answer() if stream else client.complete(request))
        await up.wait_until_idle()


@pytest.mark.parametrize(
    ("script", "stream"),
    [(stalled_refusal, True), (cut_refusal, True), (cut_refusal, False), (short_refusal, True), (short_refusal, False)],
)
async def test_a_refusal_whose_body_is_late_or_lost_means_what_its_status_says(script: Script, stream: bool) -> None:
    async with (
        running_upstream(script) as up,
        running_gateway(settings_for({"a": up.base_url}, timeouts={"first_token_s": 0.15})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        request = CompleteRequest(model="m", prompt="Hi")
        with pytest.raises(ProviderThrottledError) as caught:
            await (client.stream(request).answer() if stream else client.complete(request))
        assert caught.value.retry_after_ms == 7000
        await up.wait_until_idle()


async def test_nonsense_without_end_does_not_fill_the_report() -> None:
    async def nonsense(answer: Answer) -> None:
        await _begin(answer)
        for _ in range(300):
            await answer.frame(b"{")
        await answer.frame(chunk({"content": " answer"}, finish_reason="stop"))
        await answer.frame(b"[DONE]")
        await answer.end_stream()

    async with (
        running_upstream(nonsense) as up,
        running_gateway(settings_for({"a": up.base_url})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        assert (
            trunkline.text_of(await client.stream(CompleteRequest(model="m", prompt="Hi")).answer()) == "half an answer"
        )
        assert len(gateway.ledger.records[0].report.attempts[0].notes) == 100


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_provider_that_moved_is_asked_once_and_the_next_one_answers(status: int) -> None:
    async with running_upstream(answers("yes")) as elsewhere, running_upstream(answers("here")) as next_one:

        async def moved(answer: Answer) -> None:
            await answer.json({}, status, {"location": f"{elsewhere.base_url}/chat/completions"})

        async with running_upstream(moved) as up:
            settings = settings_for({"a": up.base_url, "b": next_one.base_url}, retries={"max_retries": 2})
            async with (
                running_gateway(settings) as gateway,
                trunkline.AsyncClient(gateway.grpc_address) as client,
            ):
                assert await client.ask("m", "Hi") == "here"
            assert [len(upstream.calls) for upstream in (up, next_one, elsewhere)] == [1, 1, 0]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dies", [Answer.reset, Answer.hang_up])
async def test_a_connection_that_was_dead_all_along_is_nobodys_failure(
    dies: Callable[[Answer], None], stream: bool
) -> None:
    async def drops(answer: Answer) -> None:
        dies(answer)

    async with (
        running_upstream(in_turn(answers("one"), drops, answers("two"))) as up,
        running_gateway(settings_for({"a": up.base_url})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        assert await client.ask("m", "Hi") == "one"
        request = CompleteRequest(model="m", prompt="Hi")
        answer = await (client.stream(request).answer() if stream else client.complete(request))
        assert trunkline.text_of(answer) == "two"
        (attempt,) = answer.report.attempts
        assert [(note.field, note.action) for note in attempt.notes] == [
            ("connection", NoteAction.NOTE_ACTION_REWRITTEN)
        ]
        (state,) = [state for state in await client.targets() if state.target == "a/m"]
        assert (state.results, state.failures, state.retries_left, state.last_failure) == (2, 0, 10, "")
        assert len(up.calls) == 3


REFUSALS = [
    (401, {"message": "Incorrect API key sk-a"}, ProviderCredentialsError, 502),
    (403, {"message": "not for sk-a"}, ProviderCredentialsError, 502),
    (402, {"message": "pay"}, ProviderQuotaError, 429),
    (429, {"message": "slow", "code": "rate_limit_exceeded"}, ProviderThrottledError, 429),
    (429, {"message": "spent", "code": "insufficient_quota"}, ProviderQuotaError, 429),
    (400, {"message": "too long", "code": "context_length_exceeded"}, ContextLengthError, 400),
    (400, {"message": "bad", "param": "temperature"}, RejectedByProviderError, 400),
    (404, {"message": "no such model", "code": "model_not_found"}, RejectedByProviderError, 404),
    (422, {"message": "no"}, RejectedByProviderError, 422),
    (500, {"message": "oops"}, ProviderUnavailableError, 500),
    (529, {"message": "busy"}, ProviderUnavailableError, 503),
]


@pytest.mark.parametrize(("status", "body", "error", "rest_status"), REFUSALS)
async def test_a_refusal_becomes_the_error_that_it_means(
    status: int, body: dict[str, str], error: type[GatewayError], rest_status: int
) -> None:
    async with (
        running_upstream(fails(status, body, {"retry-after": "7"} if status == 429 else None)) as up,
        running_gateway(settings_for({"a": up.base_url})) as gateway,
    ):
        async with trunkline.AsyncClient(gateway.grpc_address) as client:
            with pytest.raises(error) as caught:
                await client.complete(CompleteRequest(model="m", prompt="Hi"))
        assert caught.value.target == "a/m"
        assert caught.value.provider_status == status
        assert "sk-a" not in caught.value.message + caught.value.native
        async with openai_client(gateway) as rest:
            with pytest.raises(openai.APIStatusError) as rest_caught:
                await rest.chat.completions.create(model="m", messages=HELLO)
        assert rest_caught.value.status_code == rest_status
        assert "sk-a" not in rest_caught.value.message
        if status == 429 and error is ProviderThrottledError:
            assert caught.value.retry_after_ms == 7000
            assert rest_caught.value.response.headers["retry-after"] == "7"
