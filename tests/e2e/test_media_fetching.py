"""Images given by address reach providers that take bytes only, if the operator lets the gateway fetch them."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from aiohttp import web
from openai.types.chat import ChatCompletionMessageParam

from openai_client import openai_client
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from upstream import Upstream, answers, running_upstream

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


@asynccontextmanager
async def pictures() -> AsyncIterator[tuple[str, list[str]]]:
    """The address of a server of pictures, and the paths that were asked for."""
    asked: list[str] = []

    async def picture(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=404) if request.path == "/none.png" else web.Response(body=PNG)

    app = web.Application()
    app.router.add_get("/{name}", picture)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


@asynccontextmanager
async def gateway_for(
    upstream: Upstream, *, fetch: bool = True, form: Form = "in process"
) -> AsyncIterator[RunningGateway]:
    settings = settings_for(
        {},
        models={"m": ["o/llava"]},
        providers={"o": {"kind": "ollama", "base_url": upstream.base_url}},
        media={"fetch": fetch, "allow_http": True, "allowed_networks": ["127.0.0.1/32"]},
    )
    async with running_gateway(settings, form=form) as gateway:
        yield gateway


def asks(*addresses: str) -> list[ChatCompletionMessageParam]:
    return [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": address}} for address in addresses]}
    ]


@pytest.mark.parametrize("form", FORMS)
async def test_the_provider_gets_bytes_and_the_caller_a_note(form: Form) -> None:
    async with (
        pictures() as (address, asked),
        running_upstream(answers("A dot")) as upstream,
        gateway_for(upstream, form=form) as gateway,
        openai_client(gateway) as client,
    ):
        messages = asks(f"{address}/a.png", f"{address}/a.png", f"{address}/b.png")
        answer = await client.chat.completions.create(model="m", messages=messages)
        assert answer.choices[0].message.content == "A dot"
        assert sorted(asked) == ["/a.png", "/b.png"]
        data_url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
        sent = upstream.calls[0].json["messages"][0]["content"]
        assert [part["image_url"]["url"] for part in sent] == [data_url] * 3
        (attempt,) = gateway.ledger.records[0].report.attempts
        assert [note.field for note in attempt.notes] == [f"messages[0].parts[{i}].image.media.url" for i in range(3)]


async def test_unless_the_operator_wants_it_nothing_is_fetched() -> None:
    async with (
        pictures() as (address, asked),
        running_upstream(answers("A dot")) as upstream,
        gateway_for(upstream, fetch=False) as gateway,
        openai_client(gateway) as client,
    ):
        with pytest.raises(openai.BadRequestError, match=r"media\.fetch"):
            await client.chat.completions.create(model="m", messages=asks(f"{address}/a.png"))
        assert (asked, upstream.calls) == ([], [])


async def test_strict_requests_are_sent_as_they_are_or_not_at_all() -> None:
    async with (
        pictures() as (address, asked),
        running_upstream(answers("A dot")) as upstream,
        gateway_for(upstream) as gateway,
        openai_client(gateway) as client,
    ):
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(
                model="m", messages=asks(f"{address}/a.png"), extra_headers={"x-trunkline-strict": "true"}
            )
        assert (asked, upstream.calls) == ([], [])


@pytest.mark.parametrize(
    ("path", "why"),
    [("none.png", "was answered with status 404"), ("http://10.0.0.1/a.png", "does not lead to a public address")],
)
async def test_what_cannot_be_fetched_is_the_callers_to_mend(path: str, why: str) -> None:
    async with (
        pictures() as (address, _),
        running_upstream(answers("A dot")) as upstream,
        gateway_for(upstream) as gateway,
        openai_client(gateway) as client,
    ):
        url = path if path.startswith("http") else f"{address}/{path}"
        with pytest.raises(openai.BadRequestError, match=why) as caught:
            await client.chat.completions.create(model="m", messages=asks(f"{address}/a.png", url))
        assert caught.value.param == "messages[0].content[1].image_url.url"
        assert upstream.calls == []
