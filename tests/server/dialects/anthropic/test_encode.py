"""Requests become the bodies that Claude models take, with a note on all that they cannot.

tests/goldens/anthropic/encode/<case>/ holds a request (request.json, a CompleteRequest) and, in wires.txt, what each of
some models is sent for it: the body, the headers beside the version, the notes, or the error. GOLDENS=write writes
wires.txt anew.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from google.protobuf.json_format import ParseDict
from pydantic import TypeAdapter

from golden_files import check_golden
from repository import ROOT
from strict_anthropic import complaints
from targets import target_of
from trunkline.errors import GatewayError, InvalidRequestError, LossyTranslationError, UnsupportedByModelError
from trunkline.v1 import CompleteRequest, ErrorReason, Feature, NoteAction, Part, Role, TranslationNote
from trunkline_server.dialects.anthropic import Anthropic
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.providers.anthropic_quirks import NEW_VERSION, OLD_VERSION
from trunkline_server.providers.model_facts import ModelFacts
from trunkline_server.providers.target import Target

GOLDENS = ROOT / "tests/goldens/anthropic/encode"
CASES = sorted(GOLDENS.glob("*/request.json"))
# Requests of the other wires are asked here as well: none may break the encoder.
ALL_CASES = [
    *CASES,
    *(
        path
        for other in ("openai_chat", "gemini")
        for path in sorted((GOLDENS.parents[1] / other).glob("encode/*/request.json"))
    ),
]
DIALECT = Anthropic()


def claude(model: str, *, version: str = "", provider: str = "anthropic") -> Target:
    target = target_of("anthropic", provider=provider, model=model)
    return dataclasses.replace(target, provider=dataclasses.replace(target.provider, api_version=version))


TARGETS = {
    target.name: target
    for target in (
        claude("claude-opus-4-8"),
        claude("claude-fable-5"),
        claude("claude-sonnet-4-5"),
        claude("claude-3-5-haiku-latest"),
        claude("claude-sonnet-4-5", version=NEW_VERSION, provider="new"),
        target_of("vertex", model="claude-opus-4-6"),
    )
}
OPUS = TARGETS["anthropic/claude-opus-4-8"]
VERTEX = TARGETS["vertex/claude-opus-4-6"]
# What every dialect must be shown to translate.
REQUIRED = {
    "basic",
    "cache_markers",
    "images",
    "json_schema",
    "multi_turn",
    "parallel_tools",
    "pdf",
    "prefill",
    "reasoning_and_tools_replay",
    "system",
    "system_midway",
    "tool_result_with_image",
    "tools",
}


def read_request(path: Path) -> CompleteRequest:
    return ParseDict(orjson.loads(path.read_bytes()), CompleteRequest())


def simple_request(**fields: object) -> CompleteRequest:
    request = ParseDict(fields, CompleteRequest())
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Hi")
    return request


def body_of(request: CompleteRequest, target: Target) -> Any:  # noqa: ANN401 any JSON
    return orjson.loads(DIALECT.encode(request, target, stream=False).body)


def line(note: TranslationNote) -> str:
    sent = f" [{note.sent}]" if note.sent else ""
    return f"{NoteAction.Name(note.action).removeprefix('NOTE_ACTION_')} {note.field}: {note.reason}{sent}"


def told(request: CompleteRequest, target: Target) -> str:
    """What a model is sent beside its name, or why it is sent nothing, for people to read."""
    try:
        wire = DIALECT.encode(request, target, stream=False)
    except GatewayError as error:
        return f"{ErrorReason.Name(error.reason).removeprefix('ERROR_REASON_')} {error.message}"
    body = wire.body.decode().replace(f'"model":"{target.model}",', "")
    headers = [f"{name}: {value}" for name, value in wire.headers.items() if name != "anthropic-version"]
    return "\n".join([body, *headers, *map(line, wire.notes)])


def together(texts: dict[str, str]) -> str:
    """One block for all models that are told the same."""
    names: dict[str, list[str]] = {}
    for name, text in texts.items():
        names.setdefault(text, []).append(name)
    return "\n".join(f"== {', '.join(found)}\n{text}\n" for text, found in names.items())


def case_of(path: Path) -> str:
    return f"{path.parents[2].name}-{path.parent.name}"


@cache
def params_of(*, stream: bool) -> TypeAdapter[Any]:
    return TypeAdapter(MessageCreateParamsStreaming if stream else MessageCreateParamsNonStreaming)


def check_types(body: object, *, stream: bool) -> None:
    """The body is a request of the official SDK; what it says of lists is only found out when they are read."""
    unread = [params_of(stream=stream).validate_python(body)]
    while unread:
        value = unread.pop()
        if isinstance(value, dict):
            unread += value.values()
        elif isinstance(value, list | Iterator):
            unread += value


def test_no_case_is_missing() -> None:
    assert {path.parent.name for path in CASES} >= REQUIRED


@pytest.mark.parametrize("path", CASES, ids=case_of)
def test_every_model_is_sent_what_it_takes(path: Path) -> None:
    request = read_request(path)
    check_golden(
        path.with_name("wires.txt"), together({name: told(request, target) for name, target in TARGETS.items()})
    )


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("path", ALL_CASES, ids=case_of)
def test_what_is_sent_is_a_request_of_the_official_sdk_and_keeps_the_rules(path: Path, name: str) -> None:
    request, target = read_request(path), TARGETS[name]
    try:
        body = body_of(request, target)
    except (InvalidRequestError, UnsupportedByModelError) as error:
        assert error.violations  # noqa: PT017 a refusal is as good as a body, if it names its field
        return
    if request.extensions or any(uses_extensions(part) for message in request.messages for part in message.parts):
        return  # what only one vendor knows goes as the client wrote it
    vertex = target.provider.name == "vertex"
    version = target.provider.api_version or OLD_VERSION
    assert complaints(body, target.model, vertex=vertex, version=version) == []
    if not request.reasoning.native_effort:  # a word that the SDK may not know yet
        check_types({"model": target.model, **body}, stream=False)


def uses_extensions(part: Part) -> bool:
    return part.HasField("opaque") or bool(part.extensions)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("path", CASES, ids=case_of)
def test_strict_refuses_what_would_be_left_out_or_emulated(path: Path, name: str) -> None:
    request, target = read_request(path), TARGETS[name]
    try:
        wire = DIALECT.encode(request, target, stream=False)
    except GatewayError:
        return  # refused in any case; the golden says why
    lossy = [note.field for note in wire.notes if note.action != NoteAction.NOTE_ACTION_REWRITTEN]
    request.routing.strict = True
    if not lossy:
        assert DIALECT.encode(request, target, stream=False) == wire
        return
    with pytest.raises(LossyTranslationError) as caught:
        DIALECT.encode(request, target, stream=False)
    assert [violation.field for violation in caught.value.violations] == lossy
    assert caught.value.target == target.name


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("claude-opus-4-6", False, "/publishers/anthropic/models/claude-opus-4-6:rawPredict"),
        ("claude-opus-4-6", True, "/publishers/anthropic/models/claude-opus-4-6:streamRawPredict"),
        ("claude-opus-4@20250514", True, "/publishers/anthropic/models/claude-opus-4@20250514:streamRawPredict"),
        ("anthropic/claude-opus-4-6", False, "/publishers/anthropic/models/claude-opus-4-6:rawPredict"),
    ],
)
def test_on_google_cloud_the_path_names_the_model_and_the_body_the_version(model: str, stream: bool, path: str) -> None:
    target = target_of("vertex", model=model)
    wire = DIALECT.encode(simple_request(), target, stream=stream)
    body = orjson.loads(wire.body)
    assert target.dialect == "anthropic"
    assert (wire.path, wire.stream, body["stream"], wire.headers) == (path, stream, stream, {})
    assert body["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in body


def test_other_models_of_google_cloud_are_not_spoken_to_in_this_wire() -> None:
    assert target_of("vertex", model="gemini-3-pro").dialect == "gemini"


@pytest.mark.parametrize(
    "model", ["claude/../x", "claude?key=1", "claude#b", "claude:b", "claude//b", "claude b", "claudé"]
)
def test_no_model_leads_elsewhere(model: str) -> None:
    with pytest.raises(UnsupportedByModelError) as caught:
        DIALECT.encode(simple_request(), target_of("vertex", model=model), stream=False)
    assert caught.value.violations[0].field == "model"


def test_a_target_may_be_spoken_to_in_another_version_than_its_provider() -> None:
    target = dataclasses.replace(claude("claude-opus-4-1", version=NEW_VERSION), api_version=OLD_VERSION)
    request = simple_request()
    request.temperature = 0.5
    wire = DIALECT.encode(request, target, stream=False)
    assert wire.headers == {"anthropic-version": OLD_VERSION}
    assert orjson.loads(wire.body)["temperature"] == 0.5


@pytest.mark.parametrize("version", ["", OLD_VERSION, NEW_VERSION])
def test_the_version_is_the_providers(version: str) -> None:
    wire = DIALECT.encode(simple_request(), claude("claude-opus-5", version=version), stream=True)
    assert (wire.path, wire.headers) == ("/messages", {"anthropic-version": version or OLD_VERSION})


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("claude-3-opus-20240229", False),
        ("claude-sonnet-4-20250514", False),
        ("claude-opus-4-6", False),
        ("claude-opus-4-7", True),
        ("claude-haiku-5-5", True),
        ("claude-mythos-preview", True),
        ("claude-of-tomorrow", True),
        ("kimi-k3", False),
    ],
)
def test_a_model_of_which_nothing_is_known_is_judged_by_its_id(model: str, refused: bool) -> None:
    assert ("temperature" not in body_of(simple_request(temperature=0.5), claude(model))) == refused


def test_facts_count_more_than_an_id() -> None:
    facts = ModelFacts(
        known=True,
        max_output_tokens=777,
        features=frozenset({Feature.FEATURE_SAMPLING, Feature.FEATURE_REASONING, Feature.FEATURE_PREFILL}),
    )
    target = dataclasses.replace(claude("claude-opus-5"), facts=facts)
    request = simple_request(temperature=0.5, responseFormat={"kind": "FORMAT_KIND_JSON_SCHEMA", "schema": "{}"})
    request.messages.add(role=Role.ROLE_ASSISTANT).parts.add(text="Well")
    body = body_of(request, target)
    assert (body["temperature"], body["max_tokens"]) == (0.5, 777)
    assert body["messages"][-1]["role"] == "assistant"
    assert "output_config" not in body
    request.max_output_tokens = 778
    assert body_of(request, target)["max_tokens"] == 777


@pytest.mark.parametrize(
    ("features", "effort", "wanted"),
    [
        ({Feature.FEATURE_REASONING, Feature.FEATURE_REASONING_BUDGET}, "NONE", {"type": "disabled"}),
        ({Feature.FEATURE_REASONING, Feature.FEATURE_REASONING_ALWAYS}, "NONE", {"type": "adaptive"}),
        ({Feature.FEATURE_REASONING}, "HIGH", {"type": "adaptive"}),
        (set(), "HIGH", None),
    ],
)
def test_facts_tell_how_a_model_thinks(
    features: set["Feature.ValueType"], effort: str, wanted: Mapping[str, str] | None
) -> None:
    target = dataclasses.replace(OPUS, facts=ModelFacts(known=True, features=frozenset(features)))
    body = body_of(simple_request(reasoning={"effort": f"REASONING_EFFORT_{effort}"}), target)
    assert body.get("thinking") == wanted


def test_the_same_request_is_the_same_bytes() -> None:
    bodies = {
        DIALECT.encode(simple_request(extensions=dict.fromkeys(order, "{}")), OPUS, stream=True).body
        for order in ("abc", "cab", "bca")
    }
    assert len(bodies) == 1


@pytest.mark.parametrize(
    "text", ['{"type":"object","b":1,  "a" : 1.10}', '{"type":"object","n": 12345678901234567890123}']
)
def test_schemas_and_arguments_go_byte_for_byte(text: str) -> None:
    request = simple_request(tools=[{"name": "f", "parameters": text}])
    request.messages.add(role=Role.ROLE_ASSISTANT).parts.add().tool_call.MergeFrom(
        ParseDict({"id": "c", "name": "f", "arguments": text}, CompleteRequest().messages.add().parts.add().tool_call)
    )
    request.messages.add(role=Role.ROLE_TOOL).parts.add().tool_result.call_id = "c"
    body = DIALECT.encode(request, OPUS, stream=False).body.decode()
    for member in ("input_schema", "input"):
        assert f'"{member}":{text}' in body


def test_a_missing_result_is_found_before_anything_is_sent() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        body_of(read_request(GOLDENS / "unanswered_call/request.json"), OPUS)
    assert caught.value.violations[0].field == "messages[1].parts[1].tool_call"


def test_the_request_itself_is_not_changed() -> None:
    request = read_request(GOLDENS / "reasoning_and_tools_replay/request.json")
    before = request.SerializeToString(deterministic=True)
    for target in TARGETS.values():
        DIALECT.encode(request, target, stream=True)
    assert request.SerializeToString(deterministic=True) == before


def test_what_the_gateway_alone_is_to_know_is_not_sent() -> None:
    request = simple_request(
        idempotency_key="canary-1", routing={"tags": {"t": "canary-2"}, "affinity_key": "canary-3"}
    )
    assert b"canary" not in DIALECT.encode(request, VERTEX, stream=True).body


@pytest.mark.parametrize(
    ("target", "path", "version"),
    [
        (OPUS, "/messages/count_tokens", None),
        (VERTEX, "/publishers/anthropic/models/count-tokens:rawPredict", "vertex-2023-10-16"),
    ],
)
def test_a_count_is_asked_for_with_what_bears_on_it(target: Target, path: str, version: str | None) -> None:
    request = simple_request(tools=[{"name": "f"}], stop=["END"], endUser="u", reasoning={"effort": 5})
    wire = DIALECT.encode_count(request, target)
    body = orjson.loads(wire.body)
    assert (wire.path, wire.stream, body.pop("anthropic_version", None)) == (path, False, version)
    assert body["model"] == target.model
    assert body.keys() == {"model", "messages", "output_config", "thinking", "tools"}
    assert ("anthropic-version" in wire.headers) == (version is None)


def test_a_count_is_read() -> None:
    assert DIALECT.read_count(b'{"input_tokens": 14}').input_tokens == 14
    with pytest.raises(MalformedFrameError):
        DIALECT.read_count(b'{"input_tokens": "14"}')
