"""How answers of Gemini end, as clients of both surfaces see it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from running_gateway import RunningGateway, running_gateway, settings_for
from survival_client import SURFACES, Surface, ask
from upstream import Answer, running_upstream

USAGE = {"promptTokenCount": 4, "totalTokenCount": 4}
BLOCKED = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": USAGE}


def ended(reason: str, *parts: Mapping[str, object]) -> dict[str, object]:
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": reason}], "usageMetadata": USAGE}


@asynccontextmanager
async def gateway_before(said: Mapping[str, object]) -> AsyncIterator[RunningGateway]:
    """A gateway whose provider says this, in one chunk if it is asked for a stream."""

    async def script(answer: Answer) -> None:
        if "stream" in answer.call.path:
            await answer.start_stream()
            await answer.frame(said)
            await answer.end_stream()
        else:
            await answer.json(said)

    async with (
        running_upstream(script) as upstream,
        running_gateway(settings_for({"google": upstream.base_url}, kind="gemini")) as gateway,
    ):
        yield gateway


manners = pytest.mark.parametrize("surface", SURFACES)
streamed = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@manners
@streamed
async def test_a_blocked_prompt_is_an_answer_without_content(surface: Surface, stream: bool) -> None:
    async with gateway_before(BLOCKED) as gateway:
        got = await ask(gateway, surface, stream=stream)
        assert (got.error, got.text, got.finish, got.tokens) == ("", "", "content_filter", (4, 0))


@manners
@streamed
@pytest.mark.parametrize(
    ("reason", "finish"), [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter")]
)
async def test_an_answer_ends_for_its_reason(surface: Surface, stream: bool, reason: str, finish: str) -> None:
    async with gateway_before(ended(reason, {"text": "Hello"})) as gateway:
        got = await ask(gateway, surface, stream=stream)
        assert (got.error, got.text, got.finish) == ("", "Hello", finish)


@manners
@streamed
@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("MALFORMED_FUNCTION_CALL", "malformed_tool_call"),
        ("TOO_MANY_TOOL_CALLS", "malformed_tool_call"),
        ("MISSING_THOUGHT_SIGNATURE", "provider_bad_answer"),
    ],
)
async def test_a_fault_is_never_an_answer(surface: Surface, stream: bool, reason: str, error: str) -> None:
    async with gateway_before(ended(reason, {"text": "Hello"})) as gateway:
        got = await ask(gateway, surface, stream=stream)
        assert (got.complete, got.error) == (False, error)


@manners
async def test_a_stream_that_ends_without_a_reason_was_cut(surface: Surface) -> None:
    said = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}}], "usageMetadata": USAGE}
    async with gateway_before(said) as gateway:
        got = await ask(gateway, surface, stream=True)
        assert (got.complete, got.error) == (False, "provider_bad_answer")
