"""Requests become the bodies that Google's models take, with a note on all that they cannot.

tests/goldens/gemini/encode/<case>/ holds a request (request.json, a CompleteRequest) and, in wires.txt, what each of some
models is sent for it by the Developer API and by Vertex: the path, the body, the notes, or the error. GOLDENS=write
writes wires.txt anew.
"""

from pathlib import Path

import orjson
import pytest
from google.genai import types
from google.protobuf.json_format import ParseDict

from golden_files import check_golden
from repository import ROOT
from strict_gemini import complaints
from targets import target_of
from trunkline.errors import GatewayError, InvalidRequestError, LossyTranslationError, UnsupportedByModelError
from trunkline.v1 import CompleteRequest, ErrorReason, NoteAction, Role, TranslationNote
from trunkline_server.dialects.gemini import Gemini
from trunkline_server.providers.target import Target

GOLDENS = ROOT / "tests/goldens/gemini/encode"
CASES = sorted(GOLDENS.glob("*/request.json"))
# Requests of the other wire are asked here as well: none may break the encoder.
ALL_CASES = [*CASES, *sorted((ROOT / "tests/goldens/openai_chat/encode").glob("*/request.json"))]
DIALECT = Gemini()

TARGETS = {
    target.name: target
    for target in (
        target_of("gemini", model="gemini-3-flash-preview"),
        target_of("gemini", model="gemini-2.5-pro"),
        target_of("gemini", model="gemini-2.5-flash-lite"),
        target_of("gemini", model="gemini-2.0-flash"),
        target_of("vertex", model="gemini-3.1-pro-preview"),
    )
}
VERTEX = target_of("vertex", model="gemini-3-pro")
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
    "reasoning_replay_in_the_turn",
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


def line(note: TranslationNote) -> str:
    sent = f" [{note.sent}]" if note.sent else ""
    return f"{NoteAction.Name(note.action).removeprefix('NOTE_ACTION_')} {note.field}: {note.reason}{sent}"


def told(request: CompleteRequest, target: Target) -> str:
    """What a model is sent, or why it is sent nothing, for people to read."""
    try:
        wire = DIALECT.encode(request, target, stream=False)
    except GatewayError as error:
        return f"{ErrorReason.Name(error.reason).removeprefix('ERROR_REASON_')} {error.message}"
    return "\n".join([wire.body.decode(), *map(line, wire.notes)])


def together(texts: dict[str, str]) -> str:
    """One block for all models that are told the same."""
    names: dict[str, list[str]] = {}
    for name, text in texts.items():
        names.setdefault(text, []).append(name)
    return "\n".join(f"== {', '.join(found)}\n{text}\n" for text, found in names.items())


def case_of(path: Path) -> str:
    return f"{path.parents[2].name}-{path.parent.name}"


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
    request = read_request(path)
    try:
        body = orjson.loads(DIALECT.encode(request, TARGETS[name], stream=True).body)
    except (InvalidRequestError, UnsupportedByModelError) as error:
        assert error.violations  # noqa: PT017 a refusal is as good as a body, if it names its field
        return
    if request.extensions or any(part.HasField("opaque") for message in request.messages for part in message.parts):
        return  # what only one vendor knows goes as the client wrote it
    assert complaints(body, TARGETS[name].model) == []
    for content in body["contents"]:
        types.Content.model_validate(content)
    for tool in body.get("tools", ()):
        types.Tool.model_validate(tool)
    if not request.reasoning.native_effort:  # a word that the SDK may not know yet
        types.GenerationConfig.model_validate(body.get("generationConfig", {}))
    types.ToolConfig.model_validate(body.get("toolConfig", {}))
    if "systemInstruction" in body:
        types.Content.model_validate(body["systemInstruction"])


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
    ("kind", "model", "stream", "path"),
    [
        ("gemini", "gemini-3-flash", False, "/models/gemini-3-flash:generateContent"),
        ("gemini", "gemini-3-flash", True, "/models/gemini-3-flash:streamGenerateContent?alt=sse"),
        ("gemini", "models/gemini-3-flash", False, "/models/gemini-3-flash:generateContent"),
        ("gemini", "tunedModels/mine", False, "/tunedModels/mine:generateContent"),
        ("vertex", "gemini-3-flash", False, "/publishers/google/models/gemini-3-flash:generateContent"),
        ("vertex", "meta/llama-4", True, "/publishers/meta/models/llama-4:streamGenerateContent?alt=sse"),
        ("vertex", "endpoints/123", False, "/endpoints/123:generateContent"),
    ],
)
def test_the_model_stands_in_the_path(kind: str, model: str, stream: bool, path: str) -> None:
    wire = DIALECT.encode(simple_request(), target_of(kind, model=model), stream=stream)
    assert (wire.path, wire.stream) == (path, stream)


@pytest.mark.parametrize("model", ["../../x", "a/../b", "a?key=1", "a#b", "a:b", "", "a//b", "/a", "a b", "..", "é"])
def test_no_model_leads_elsewhere(model: str) -> None:
    with pytest.raises(UnsupportedByModelError) as caught:
        DIALECT.encode(simple_request(), target_of("gemini", model=model), stream=False)
    assert caught.value.violations[0].field == "model"


def test_the_same_request_is_the_same_bytes() -> None:
    bodies = {
        DIALECT.encode(simple_request(metadata={key: key for key in order}), VERTEX, stream=True).body
        for order in ("abc", "cab", "bca")
    }
    assert len(bodies) == 1


@pytest.mark.parametrize(
    "text", ['{"b":1,  "a" : 1.10}', '{"n": 12345678901234567890123}', ' {"e":1E5,"u":"\\u00e9"} ']
)
def test_schemas_and_arguments_go_byte_for_byte(text: str) -> None:
    request = simple_request(
        tools=[{"name": "f", "parameters": text}],
        response_format={"kind": "FORMAT_KIND_JSON_SCHEMA", "schema": text},
    )
    request.messages.add(role=Role.ROLE_ASSISTANT).parts.add().tool_call.MergeFrom(
        ParseDict({"id": "c", "name": "f", "arguments": text}, CompleteRequest().messages.add().parts.add().tool_call)
    )
    request.messages.add(role=Role.ROLE_TOOL).parts.add().tool_result.parts.add(json=text)
    request.messages[-1].parts[0].tool_result.call_id = "c"
    body = DIALECT.encode(request, VERTEX, stream=False).body.decode()
    for member in ("parametersJsonSchema", "responseJsonSchema", "args", "response"):
        assert f'"{member}":{text}' in body


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
