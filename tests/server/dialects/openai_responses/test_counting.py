"""OpenAI is asked to count what it would be sent; others that copy its wire are not."""

from pathlib import Path

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from openai.types.responses import InputTokenCountParams
from pydantic import TypeAdapter

from repository import ROOT
from targets import target_of
from trunkline.errors import GatewayError
from trunkline.v1 import CompleteRequest, CountTokensResponse
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.openai_responses import OpenAIResponses

DIALECT = OpenAIResponses()
OPENAI = target_of("openai", model="gpt-5.6-sol")
CASES = sorted((ROOT / "tests/goldens/openai_responses/encode").glob("*/request.json"))
PARAMS: TypeAdapter[InputTokenCountParams] = TypeAdapter(InputTokenCountParams)
UNCOUNTED = {
    "include",
    "max_output_tokens",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "safety_identifier",
}
UNCOUNTED |= {"service_tier", "store", "stream", "temperature", "top_logprobs", "top_p"}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_what_is_counted_is_what_would_be_sent(path: Path) -> None:
    request = ParseDict(orjson.loads(path.read_bytes()), CompleteRequest())
    try:
        body = orjson.loads(DIALECT.encode(request, OPENAI, stream=False).body)
    except GatewayError:
        return  # what could not be sent need not be counted
    wire = DIALECT.encode_count(request, OPENAI)
    assert wire is not None
    counted = orjson.loads(wire.body)
    assert (wire.path, wire.stream) == ("/responses/input_tokens", False)
    assert counted == {name: value for name, value in body.items() if name not in UNCOUNTED}
    if not request.extensions and not request.reasoning.native_effort:
        PARAMS.validate_python(counted)


@pytest.mark.parametrize("kind", ["deepseek", "groq", "ollama", "openrouter", "vllm", "xai"])
def test_who_does_not_count_is_not_asked(kind: str) -> None:
    assert DIALECT.encode_count(CompleteRequest(), target_of(kind)) is None


def test_a_count_is_read() -> None:
    body = b'{"object":"response.input_tokens","input_tokens":31}'
    assert DIALECT.read_count(body) == CountTokensResponse(input_tokens=31)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"input_tokens":-1}', b'{"input_tokens":"1"}', b'{"input_tokens":null}']
)
def test_what_is_no_count_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        DIALECT.read_count(body)
