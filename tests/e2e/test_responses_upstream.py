"""Chat clients use tools of models that are asked by OpenAI's Responses API, which keeps its rules about what comes back."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

import trunkline
from openai_client import HELLO, openai_client
from responses_upstream import MODEL, answer_strictly
from running_gateway import FORMS, Form, running_gateway, settings_for
from trunkline.v1 import AttemptOutcome, CompleteRequest, FinishReason, Message, Role, Tool
from trunkline_server.config.settings import Settings
from upstream import Answer, running_upstream

TOOLS: list[ChatCompletionToolParam] = [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
]
RESULTS: list[ChatCompletionMessageParam] = [
    {"role": "tool", "tool_call_id": "call_1", "content": "40"},
    {"role": "tool", "tool_call_id": "call_2", "content": "2"},
]
# What clients send back of an assistant's message: all of it, what OpenAI's own API has, or the calls alone.
KEPT = {
    "all": ("role", "content", "tool_calls", "reasoning_content", "reasoning_details"),
    "what the API has": ("role", "content", "tool_calls"),
    "calls alone": ("role", "tool_calls"),
}


def settings_of(base_url: str, **more: Any) -> Settings:  # noqa: ANN401 settings are of all sorts
    provider = {"kind": "openai", "base_url": base_url, "api_key": "sk-o"}
    return settings_for({}, models={"m": [f"o/{MODEL}"]}, providers={"o": provider}, **more)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_chat_client_uses_tools_while_the_model_reasons(*, stream: bool, kept: str, form: Form) -> None:
    async with (
        running_upstream(answer_strictly) as upstream,
        running_gateway(settings_of(upstream.base_url), form=form) as gateway,
        openai_client(gateway) as client,
    ):
        first: dict[str, Any]
        if stream:
            async with client.chat.completions.stream(model="m", messages=HELLO, tools=TOOLS) as chunks:
                first = (await chunks.get_final_completion()).choices[0].model_dump()
        else:
            first = (
                (await client.chat.completions.create(model="m", messages=HELLO, tools=TOOLS)).choices[0].model_dump()
            )
        message = first["message"]
        assert first["finish_reason"] == "tool_calls"
        assert (message["content"], message["reasoning_content"]) == ("One moment.", "I look.\n\nTwice.")
        calls = [
            (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in message["tool_calls"]
        ]
        assert calls == [("call_1", "f", '{"a":1}'), ("call_2", "f", "{}")]
        for call in message["tool_calls"]:
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
        back: Any = {name: message[name] for name in KEPT[kept]}
        last = await client.chat.completions.create(model="m", messages=[*HELLO, back, *RESULTS], tools=TOOLS)
        assert (last.choices[0].message.content, last.choices[0].finish_reason) == ("It is 42.", "stop")
        assert last.usage is not None
        assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (20, 9)
    # Whatever a client keeps, the model sees again what it thought.
    states = [item.get("encrypted_content") for item in upstream.calls[1].json["input"]]
    assert [state for state in states if state] == ["gAAA-1"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_grpc_client_sends_back_what_it_got(*, stream: bool) -> None:
    async with (
        running_upstream(answer_strictly) as upstream,
        running_gateway(settings_of(upstream.base_url, reasoning_store={"max_bytes": 0})) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        request = CompleteRequest(model="m", prompt="Hi", tools=[Tool(name="f")])
        if stream:
            async with client.stream(request) as events:
                first = await events.answer()
        else:
            first = await client.complete(request)
        assert first.choices[0].finish_reason == FinishReason.FINISH_REASON_TOOL_CALLS
        results = Message(role=Role.ROLE_TOOL)
        for call_id in ("call_1", "call_2"):
            results.parts.add().tool_result.call_id = call_id
        hello = Message(role=Role.ROLE_USER)
        hello.parts.add(text="Hi")
        again = CompleteRequest(model="m", messages=[hello, first.choices[0].message, results], tools=[Tool(name="f")])
        last = await client.complete(again)
        assert last.choices[0].message.parts[0].text == "It is 42."
        assert [attempt.notes for attempt in last.report.attempts] == [[]]
        assert last.report.attempts[0].dialect == "openai_responses"
    sent = upstream.calls[1].json["input"]
    assert [item.get("id") for item in sent] == [None, "rs_1", "msg_1", "fc_1", "fc_2", None, None]


async def test_a_stream_that_breaks_off_is_no_success() -> None:
    async def breaks_off(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}})
        await answer.frame({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "It"})
        await answer.end_stream()

    async with (
        running_upstream(breaks_off) as upstream,
        running_gateway(settings_of(upstream.base_url)) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
        client.stream(CompleteRequest(model="m", prompt="Hi")) as events,
    ):
        with pytest.raises(trunkline.GatewayError):
            await events.answer()
    outcomes = {attempt.outcome for attempt in gateway.ledger.records[0].report.attempts}
    assert outcomes == {AttemptOutcome.ATTEMPT_OUTCOME_FAILED}


async def test_a_model_that_the_provider_has_not_is_sought_elsewhere() -> None:
    async def knows_one(answer: Answer) -> None:
        if answer.call.json["model"] == MODEL:
            await answer_strictly(answer)
        else:
            error = {"message": "The requested model does not exist.", "param": "model", "code": "model_not_found"}
            await answer.json({"error": error}, 400)

    async with running_upstream(knows_one) as upstream:
        provider = {"kind": "openai", "base_url": upstream.base_url, "api_key": "sk-o"}
        settings = settings_for({}, models={"m": ["o/gpt-9", f"o/{MODEL}"]}, providers={"o": provider})
        async with running_gateway(settings) as gateway, trunkline.AsyncClient(gateway.grpc_address) as client:
            answer = await client.complete(CompleteRequest(model="m", prompt="Hi"))
    assert answer.report.target == f"o/{MODEL}"
