"""Canaries: secrets, prompts and answers appear in no log, error, span or printed configuration."""

import io
import logging
from collections.abc import Iterator

import openai
import pytest

import trunkline
from openai_client import openai_client
from otlp_collector import running_collector
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from trunkline.errors import GatewayError
from trunkline.secret import Secret
from trunkline.v1 import CompleteRequest
from trunkline_server.governance.keys import digest_of
from trunkline_server.ledger.access_log import attempt_entries, request_entry
from upstream import Answer, completion, fails, running_upstream, streams

CLIENT_KEY = "tl-canary-client-5d1f8a"
PROVIDER_KEY = "sk-canary-provider-7c2e9b"
PROMPT = "canary-prompt-a1b2c3"
ANSWER = "canary-answer-d4e5f6"
CANARIES = (CLIENT_KEY, PROVIDER_KEY, PROMPT, ANSWER)


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """All log lines of all loggers, debug included."""
    sink = io.StringIO()
    handler = logging.StreamHandler(sink)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield sink
    root.setLevel(before)
    root.removeHandler(handler)


async def whole(answer: Answer) -> None:
    if answer.call.json["stream"]:
        await streams([ANSWER, ANSWER])(answer)
    else:
        await answer.json(completion(ANSWER))


async def broken(answer: Answer) -> None:
    await answer.json(f'{{"choices": [{{"message": {{"content": "{ANSWER}'.encode())


SCRIPTS = {
    "answered": whole,
    "refused": fails(401, {"message": f"Incorrect API key provided: {PROVIDER_KEY}; you said {PROMPT}"}),
    "failed": fails(500, {"message": f"crashed with key {PROVIDER_KEY}"}),
    "unreadable": broken,
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("form", FORMS)
async def test_nothing_secret_leaves_by_a_side_door(form: Form, script: str, everything_logged: io.StringIO) -> None:
    async with running_upstream(SCRIPTS[script]) as up, running_collector() as collector:
        settings = settings_for(
            {"a": up.base_url},
            api_key=PROVIDER_KEY,
            keys=[{"name": "k", "digest": digest_of(Secret(CLIENT_KEY))}],
            telemetry={"otlp_endpoint": collector.grpc_endpoint},
        )
        texts = [repr(settings), settings.model_dump_json()]
        async with running_gateway(settings, form=form) as gateway:
            for stream in (False, True):
                texts.append(await errors_of_rest(gateway, stream=stream))
                texts.append(await errors_of_grpc(gateway, stream=stream))
            for record in gateway.ledger.records:
                texts += [repr(request_entry(record)), *map(repr, attempt_entries(record))]
        assert len(gateway.ledger.records) == 4
        texts.append(repr(collector.spans))
        assert collector.spans
    texts.append(everything_logged.getvalue())
    found = [canary for canary in CANARIES for text in texts if canary in text]
    assert found == []
    assert up.calls[0].headers["authorization"] == f"Bearer {PROVIDER_KEY}"


async def errors_of_rest(gateway: RunningGateway, *, stream: bool) -> str:
    """What a REST client may print of a failure; the answer itself is its own to print."""
    async with openai_client(gateway, api_key=CLIENT_KEY) as client:
        try:
            answer = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": PROMPT}], stream=stream
            )
            if isinstance(answer, openai.AsyncStream):
                async for _ in answer:
                    pass
        except openai.APIError as error:
            return f"{error!r} {error.body}"
    return ""


async def errors_of_grpc(gateway: RunningGateway, *, stream: bool) -> str:
    """What a gRPC client may print of a failure."""
    request = CompleteRequest(model="m", prompt=PROMPT)
    async with trunkline.AsyncClient(gateway.grpc_address, api_key=CLIENT_KEY) as client:
        try:
            await (client.stream(request).answer() if stream else client.complete(request))
        except GatewayError as error:
            return f"{error!r} {error.to_failure()} {error.report}"
    return ""
