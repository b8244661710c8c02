"""Clients that send back calls alone are understood by providers that want the thinking with them."""

import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from openai_client import HELLO, openai_client
from running_gateway import FORMS, Form, running_gateway, settings_for
from upstream import Answer, chunk, completion, running_upstream

TOOLS: list[ChatCompletionToolParam] = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


async def thinks_and_calls(answer: Answer) -> None:
    """The first time; then it is done."""
    if len(answer.call.json["messages"]) > 1:
        await answer.json(completion("Done"))
    elif answer.call.json.get("stream"):
        await answer.start_stream()
        await answer.frame(chunk({"role": "assistant", "content": None, "reasoning_content": "Let me "}))
        await answer.frame(chunk({"reasoning_content": "see"}))
        await answer.frame(chunk({"tool_calls": [{"index": 0, **CALL}]}))
        await answer.frame(chunk({}, finish_reason="tool_calls"))
        await answer.frame(b"[DONE]")
        await answer.end_stream()
    else:
        body = completion("")
        message = {"role": "assistant", "content": None, "reasoning_content": "Let me see", "tool_calls": [CALL]}
        body["choices"] = [{"index": 0, "finish_reason": "tool_calls", "message": message}]
        await answer.json(body)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_thinking_that_the_client_dropped_goes_back_with_the_call(*, stream: bool, form: Form) -> None:
    async with running_upstream(thinks_and_calls) as upstream:
        settings = settings_for(
            {},
            models={"m": ["d/deepseek-v4"]},
            providers={"d": {"kind": "deepseek", "base_url": upstream.base_url, "api_key": "sk-d"}},
        )
        async with running_gateway(settings, form=form) as gateway, openai_client(gateway) as client:
            if stream:
                async for _ in await client.chat.completions.create(
                    model="m", messages=HELLO, tools=TOOLS, stream=True
                ):
                    pass
            else:
                await client.chat.completions.create(model="m", messages=HELLO, tools=TOOLS)
            back: list[ChatCompletionMessageParam] = [
                *HELLO,
                {"role": "assistant", "content": None, "tool_calls": [CALL]},  # type: ignore[list-item]  # a dict of a test
                {"role": "tool", "tool_call_id": "call_1", "content": "42"},
            ]
            await client.chat.completions.create(model="m", messages=back, tools=TOOLS)
    assert upstream.calls[1].json["messages"][1]["reasoning_content"] == "Let me see"
    (attempt,) = gateway.ledger.records[1].report.attempts
    assert [(note.field, note.sent) for note in attempt.notes] == [("messages[1].parts", "")]
