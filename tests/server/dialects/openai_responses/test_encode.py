"""Requests become the bodies that providers take on /responses, with a note on all that they cannot.

tests/goldens/openai_responses/encode/<case>/ holds a request (request.json, a CompleteRequest) and, in wires.txt, what each
of some models is sent for it: the body, the notes, or the error. GOLDENS=write writes wires.txt anew.
"""

from pathlib import Path

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from folding import decode_whole, fold
from golden_files import check_golden
from repository import ROOT
from strict_gemini import complaints as gemini_complaints
from strict_responses import complaints
from targets import target_of
from trunkline.errors import GatewayError, InvalidRequestError, LossyTranslationError, UnsupportedByModelError
from trunkline.v1 import CompleteRequest, ErrorReason, Message, NoteAction, Role, TranslationNote
from trunkline_server.dialects.gemini import Gemini
from trunkline_server.dialects.openai_chat import OpenAIChat
from trunkline_server.dialects.openai_responses import OpenAIResponses
from trunkline_server.providers.target import Target

GOLDENS = ROOT / "tests/goldens/openai_responses/encode"
ANSWERS = sorted((ROOT / "tests/goldens/openai_responses/decode").glob("*/body.json"))
CASES = sorted(GOLDENS.glob("*/request.json"))
# Requests of the other wires are asked here as well: none may break the encoder.
OTHERS = ("openai_chat", "gemini")
ALL_CASES = [
    *CASES,
    *(path for name in OTHERS for path in sorted((ROOT / f"tests/goldens/{name}/encode").glob("*/request.json"))),
]
DIALECT = OpenAIResponses()
PARAMS: TypeAdapter[ResponseCreateParamsNonStreaming] = TypeAdapter(ResponseCreateParamsNonStreaming)

TARGETS = {
    target.name: target
    for target in (
        target_of("openai", model="gpt-5.6-sol"),
        target_of("openai", model="gpt-5.4"),
        target_of("openai", model="gpt-4.1"),
        target_of("openrouter", model="openai/gpt-5.6-sol"),
        target_of("xai", model="grok-4"),
        target_of("deepseek", model="deepseek-v4-flash"),
        target_of("ollama", model="gpt-oss"),
    )
}
OPENAI = TARGETS["openai/gpt-5.6-sol"]
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
    "reasoning_replay_from_another_provider",
    "reasoning_replay_to_another_model",
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
    return "\n".join([wire.body.decode(), *map(line, wire.notes)]).replace(target.model, "MODEL")


def together(texts: dict[str, str]) -> str:
    """One block for all models that are told the same."""
    names: dict[str, list[str]] = {}
    for name, text in texts.items():
        names.setdefault(text, []).append(name)
    return "\n".join(f"== {', '.join(found)}\n{text}\n" for text, found in names.items())


def case_of(path: Path) -> str:
    return f"{path.parents[2].name}-{path.parent.name}"


def is_of_one_vendor(request: CompleteRequest) -> bool:
    """Whether it holds what only one vendor knows, which goes as the client wrote it."""
    return bool(request.extensions) or any(
        message.extensions or any(part.extensions or part.HasField("opaque") for part in message.parts)
        for message in request.messages
    )


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
        body = orjson.loads(DIALECT.encode(request, target, stream=False).body)
    except (InvalidRequestError, UnsupportedByModelError) as error:
        assert error.violations  # noqa: PT017 a refusal is as good as a body, if it names its field
        return
    if is_of_one_vendor(request):
        return
    if not (request.reasoning.native_effort or request.service_tier):  # words that the SDK may not know yet
        PARAMS.validate_python(body)
    if target.provider.kind.name == "openai" and not request.reasoning.native_effort:
        assert complaints(body, target.model) == []


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


def answered(path: Path, target: Target) -> Message:
    return fold(*decode_whole(DIALECT.decoder(target), path.read_bytes())).choices[0].message


def sent_back(message: Message, target: Target) -> list[dict[str, object]]:
    request = simple_request()
    request.messages.add().CopyFrom(message)
    for part in message.parts:
        if part.HasField("tool_call"):
            result = request.messages.add(role=Role.ROLE_TOOL).parts.add().tool_result
            result.call_id = part.tool_call.id
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Go on")
    body = orjson.loads(DIALECT.encode(request, target, stream=False).body)
    if target.provider.kind.name == "openai":
        assert complaints(body, target.model, pairs=pairs_in(message)) == []
    items = [item for item in body["input"] if not str(item.get("type", "")).endswith("_call_output")]
    return items[1:-1]


def pairs_in(message: Message) -> dict[str, str]:
    """The ids of items, with that of the reasoning that each came with."""
    found, last = {}, ""
    for part in message.parts:
        if part.HasField("reasoning"):
            last = part.state.id if part.state.data else ""
        elif last and part.state.id:
            found[part.state.id] = last
    return found


def comparable(item: dict[str, object]) -> dict[str, object]:
    """An item without what means nothing on its way back: its state, empty members, log probabilities."""
    found = {name: value for name, value in item.items() if value is not None and name != "status"}
    if isinstance(content := found.get("content"), list):
        found["content"] = [{name: value for name, value in one.items() if name != "logprobs"} for one in content]
    if found.get("type") == "function_call":
        found["arguments"] = found["arguments"] or "{}"
    return found


@pytest.mark.parametrize(
    "path", [path for path in ANSWERS if path.parent.name != "unknown_everything"], ids=lambda path: path.parent.name
)
def test_an_answer_goes_back_as_it_came(path: Path) -> None:
    output = orjson.loads(path.read_bytes())["output"]
    target = TARGETS["deepseek/deepseek-v4-flash"] if path.parent.name == "reasoning_in_plain" else OPENAI
    lost = path.parent.name == "reasoning_empty"  # there is nothing in it, and so what follows loses its id
    message = answered(path, target)
    wanted = [{"role": "assistant", "content": "3"}] if lost else [comparable(item) for item in output]
    assert [comparable(item) for item in sent_back(message, target)] == wanted


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.parent.name)
def test_an_answer_can_be_taken_to_another_model(path: Path) -> None:
    items = sent_back(answered(path, OPENAI), TARGETS["openai/gpt-5.4"])
    assert not any(item.get("type") == "reasoning" for item in items)


def loop_of(path: Path) -> CompleteRequest:
    """A conversation in which this answer was given, with the results of its calls."""
    message = answered(path, OPENAI)
    request = simple_request(tools=[{"name": name} for name in sorted(names_of(message))])
    request.messages.add().CopyFrom(message)
    results = Message(role=Role.ROLE_TOOL)
    for part in message.parts:
        if part.HasField("tool_call"):
            results.parts.add().tool_result.call_id = part.tool_call.id
    if results.parts:
        request.messages.add().CopyFrom(results)
    return request


def names_of(message: Message) -> set[str]:
    return {part.tool_call.name for part in message.parts if part.HasField("tool_call")}


@pytest.mark.parametrize("name", ["parallel_calls", "reasoning_then_call", "tool_call"])
def test_a_tool_loop_can_be_taken_to_another_dialect(name: str) -> None:
    request = loop_of(ROOT / f"tests/goldens/openai_responses/decode/{name}/body.json")
    gemini = target_of("gemini", model="gemini-3-flash-preview")
    body = orjson.loads(Gemini().encode(request, gemini, stream=False).body)
    assert gemini_complaints(body, gemini.model) == []
    chat = OpenAIChat().encode(request, target_of("mistral"), stream=False)
    messages = orjson.loads(chat.body)["messages"]
    calls = {call["id"] for message in messages for call in message.get("tool_calls") or ()}
    assert calls == {message["tool_call_id"] for message in messages if message["role"] == "tool"}
    # An id alone means nothing elsewhere: nothing is lost without it.
    assert not [note.field for note in chat.notes if note.field.endswith(".state")]


def test_the_same_request_is_the_same_bytes() -> None:
    bodies = {
        DIALECT.encode(simple_request(metadata={key: key for key in order}), OPENAI, stream=True).body
        for order in ("abc", "cab", "bca")
    }
    assert len(bodies) == 1


@pytest.mark.parametrize(
    "text", ['{"b":1,  "a" : 1.10}', '{"n": 12345678901234567890123}', ' {"e":1E5,"u":"\\u00e9"} ']
)
def test_schemas_go_byte_for_byte(text: str) -> None:
    request = simple_request(
        tools=[{"name": "f", "parameters": text, "outputSchema": text}],
        response_format={"kind": "FORMAT_KIND_JSON_SCHEMA", "schema": text},
    )
    body = DIALECT.encode(request, OPENAI, stream=False).body.decode()
    for member in ("parameters", "output_schema", "schema"):
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
    assert b"canary" not in DIALECT.encode(request, OPENAI, stream=True).body


@pytest.mark.parametrize("stream", [True, False])
def test_nothing_is_stored_unless_asked_for(stream: bool) -> None:
    wire = DIALECT.encode(simple_request(), OPENAI, stream=stream)
    body = orjson.loads(wire.body)
    assert (wire.path, wire.stream, body["stream"], body["store"]) == ("/responses", stream, stream, False)
    assert body["include"] == ["reasoning.encrypted_content"]
    assert orjson.loads(DIALECT.encode(simple_request(store=True), OPENAI, stream=stream).body)["store"] is True
