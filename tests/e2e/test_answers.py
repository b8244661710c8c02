"""Requests that are answered: by the OpenAI SDK and by gRPC, whole and streamed, from the provider asked for."""

import asyncio
import functools

import openai
import pytest

import trunkline
from openai_client import HELLO, openai_client
from running_gateway import FORMS, Form, running_gateway, settings_for
from trunkline.answer import AnswerBuilder
from trunkline.v1 import AttemptOutcome, CompleteRequest, FinishReason
from upstream import USAGE, Answer, answers, chunk, fails, in_turn, running_upstream, streams

WORDS = "one two three"


@pytest.mark.parametrize("form", FORMS)
async def test_the_openai_sdk_gets_a_whole_answer(form: Form) -> None:
    async with (
        running_upstream(answers(WORDS)) as up,
        running_gateway(settings_for({"a": up.base_url}), form=form) as gateway,
    ):
        async with openai_client(gateway) as client:
            raw = await client.chat.completions.with_raw_response.create(model="m", messages=HELLO, temperature=0)
        answer = raw.parse()
        assert answer.choices[0].message.content == WORDS
        assert answer.choices[0].finish_reason == "stop"
        assert answer.model == "m-2026"
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (5, 7, 12)
        assert raw.headers["x-request-id"] == gateway.ledger.records[0].request_id
        sent = up.calls[0]
        assert sent.json == {"model": "m", "messages": HELLO, "temperature": 0, "stream": False}
        assert sent.headers["authorization"] == "Bearer sk-a"


@pytest.mark.parametrize("form", FORMS)
async def test_the_openai_sdk_gets_a_stream(form: Form) -> None:
    async with (
        running_upstream(answers(WORDS)) as up,
        running_gateway(settings_for({"a": up.base_url}), form=form) as gateway,
    ):
        async with openai_client(gateway) as client:
            stream = await client.chat.completions.create(
                model="m", messages=HELLO, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == WORDS
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
        assert chunks[0].choices[0].delta.role == "assistant"
        assert len({chunk.id for chunk in chunks}) == 1
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.total_tokens == USAGE["total_tokens"]


async def test_grpc_gets_a_whole_answer_and_a_stream_that_amount_to_the_same() -> None:
    async with running_upstream(answers(WORDS)) as up, running_gateway(settings_for({"a": up.base_url})) as gateway:
        async with trunkline.AsyncClient(gateway.grpc_address) as client:
            request = CompleteRequest(model="m", prompt="Say something")
            whole = await client.complete(request)
            builder = AnswerBuilder()
            async with client.stream(request) as events:
                async for event in events:
                    builder.add_event(event)
        streamed = builder.response()
        assert trunkline.text_of(whole) == WORDS
        assert whole.choices[0].finish_reason == FinishReason.FINISH_REASON_STOP
        assert (whole.usage.input_tokens, whole.usage.output_tokens) == (5, 7)
        assert whole.report.target == "a/m"
        for answer in (whole, streamed):
            for field in ("id", "report"):
                answer.ClearField(field)
        assert whole == streamed


async def test_the_first_target_that_can_answers_and_every_attempt_is_accounted_for() -> None:
    async with (
        running_upstream(fails(503, {"message": "down", "type": "server_error"})) as first,
        running_upstream(answers(WORDS)) as second,
        running_gateway(settings_for({"a": first.base_url, "b": second.base_url})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        answer = await client.complete(CompleteRequest(model="m", prompt="Hi"))
        assert trunkline.text_of(answer) == WORDS
        assert [(a.target, a.outcome, a.http_status) for a in answer.report.attempts] == [
            ("a/m", AttemptOutcome.ATTEMPT_OUTCOME_FAILED, 503),
            ("b/m", AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED, 200),
        ]
        (record,) = gateway.ledger.records
        assert record.report == answer.report
        assert (len(first.calls), len(second.calls)) == (1, 1)


async def test_a_stream_that_fails_before_its_first_content_falls_back_unseen() -> None:
    async def role_only(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame(chunk({"role": "assistant", "content": ""}))
        answer.reset()

    async with (
        running_upstream(role_only) as first,
        running_upstream(answers(WORDS)) as second,
        running_gateway(settings_for({"a": first.base_url, "b": second.base_url})) as gateway,
        openai_client(gateway) as client,
    ):
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == WORDS
        assert [chunk.choices[0].delta.role for chunk in chunks].count("assistant") == 1


async def test_wishes_about_routing_are_kept() -> None:
    async with (
        running_upstream(answers("from a")) as first,
        running_upstream(in_turn(fails(500, {"message": "x"}), answers("from b"))) as second,
        running_gateway(settings_for({"a": first.base_url, "b": second.base_url})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        request = CompleteRequest(model="m", prompt="Hi")
        request.routing.targets.append("b/m")
        with pytest.raises(trunkline.errors.ProviderUnavailableError) as caught:
            await client.complete(request)
        assert caught.value.report is not None
        assert [attempt.target for attempt in caught.value.report.attempts] == ["b/m"]
        assert trunkline.text_of(await client.complete(request)) == "from b"
        request.routing.targets.insert(0, "b/other")
        request.routing.no_fallback = True
        assert (await client.complete(request)).report.target == "b/other"


@pytest.mark.parametrize("form", FORMS)
async def test_strict_by_header_refuses_what_a_target_would_lose_unless_the_body_says_otherwise(form: Form) -> None:
    lossy = {"seed": 1, "verbosity": "low"}
    async with (
        running_upstream(answers(WORDS)) as up,
        running_gateway(settings_for({"a": up.base_url}), form=form) as gateway,
    ):
        async with openai_client(gateway) as client:
            ask = functools.partial(client.chat.completions.create, model="m", messages=HELLO, extra_body=lossy)
            lenient = await ask()
            notes = (lenient.model_extra or {})["trunkline"]["attempts"][0]["notes"]
            assert [note["field"] for note in notes] == ["verbosity"]
            with pytest.raises(openai.BadRequestError, match="verbosity"):
                await ask(extra_headers={"x-trunkline-strict": "true"})
            body = {**lossy, "trunkline": {"strict": False}}
            await ask(extra_headers={"x-trunkline-strict": "true"}, extra_body=body)
        assert len(up.calls) == 2


async def test_fifty_at_once_get_their_own_answers() -> None:
    async def echoes(answer: Answer) -> None:
        await streams(answer.call.json["messages"][0]["content"].split(" "), pause_s=0.001)(answer)

    async def ask(client: openai.AsyncOpenAI, number: int) -> str:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"number {number} of all"}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async with running_upstream(echoes) as up, running_gateway(settings_for({"a": up.base_url})) as gateway:
        async with openai_client(gateway) as client:
            texts = await asyncio.gather(*(ask(client, number) for number in range(50)))
        assert texts == [f"number {number} of all" for number in range(50)]
        assert gateway.core.engine.admission.requests == 0
        assert len({record.request_id for record in gateway.ledger.records}) == 50
