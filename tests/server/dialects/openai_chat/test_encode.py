"""Requests become the bodies that each kind of provider takes, with a note on all that it cannot.

tests/goldens/openai_chat/encode/<case>/ holds a request (request.json, a CompleteRequest) and, in wires.txt, what every kind
of provider is sent for it: the body, the notes, or the error. GOLDENS=write writes wires.txt anew. Every kind meets
every case, so that a new row shows in all of them.
"""

from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest
from google.protobuf.json_format import ParseDict

from golden_files import check_golden
from repository import ROOT
from targets import kinds_of, target_of
from trunkline.errors import GatewayError, InvalidRequestError, LossyTranslationError, UnsupportedByModelError
from trunkline.v1 import CompleteRequest, ErrorReason, NoteAction, Role, StateKind, TranslationNote
from trunkline_server.dialects.openai_chat import OpenAIChat
from trunkline_server.providers.kinds import KINDS

CASES = sorted((ROOT / "tests/goldens/openai_chat/encode").glob("*/request.json"))
DIALECT = OpenAIChat()
CHAT_KINDS = kinds_of("openai_chat")


def read_request(path: Path) -> CompleteRequest:
    return ParseDict(orjson.loads(path.read_bytes()), CompleteRequest())


def simple_request(**fields: object) -> CompleteRequest:
    request = ParseDict(fields, CompleteRequest())
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Hi")
    return request


def body_of(request: CompleteRequest, kind: str = "openai", *, stream: bool = False) -> dict[str, object]:
    body = orjson.loads(DIALECT.encode(request, target_of(kind), stream=stream).body)
    assert isinstance(body, dict)
    return body


def line(note: TranslationNote) -> str:
    sent = f" [{note.sent}]" if note.sent else ""
    return f"{NoteAction.Name(note.action).removeprefix('NOTE_ACTION_')} {note.field}: {note.reason}{sent}"


def told(request: CompleteRequest, kind: str) -> str:
    """What a provider of this kind is sent, or why it is sent nothing, for people to read."""
    try:
        wire = DIALECT.encode(request, target_of(kind), stream=False)
    except GatewayError as error:
        reason = ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_")
        return f"{reason} {error.message}"
    return "\n".join([wire.body.decode(), *map(line, wire.notes)])


def together(texts: Mapping[str, str]) -> str:
    """One block for all kinds that are told the same."""
    kinds: dict[str, list[str]] = {}
    for kind, text in texts.items():
        kinds.setdefault(text, []).append(kind)
    return "\n".join(f"== {', '.join(names)}\n{text}\n" for text, names in kinds.items())


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_every_kind_of_provider_is_sent_what_it_takes(path: Path) -> None:
    request = read_request(path)
    check_golden(path.with_name("wires.txt"), together({kind: told(request, kind) for kind in CHAT_KINDS}))


@pytest.mark.parametrize("kind", CHAT_KINDS)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_strict_refuses_what_would_be_left_out_or_emulated(path: Path, kind: str) -> None:
    request = read_request(path)
    try:
        wire = DIALECT.encode(request, target_of(kind), stream=False)
    except GatewayError:
        return  # refused in any case; the golden says why
    lossy = [note.field for note in wire.notes if note.action != NoteAction.NOTE_ACTION_REWRITTEN]
    request.routing.strict = True
    if not lossy:
        assert DIALECT.encode(request, target_of(kind), stream=False) == wire
        return
    with pytest.raises(LossyTranslationError) as caught:
        DIALECT.encode(request, target_of(kind), stream=False)
    assert [violation.field for violation in caught.value.violations] == lossy
    assert all(field in caught.value.message for field in lossy)
    assert caught.value.target == target_of(kind).name


@pytest.mark.parametrize("kind", CHAT_KINDS)
def test_a_request_that_all_understand_needs_no_notes(kind: str) -> None:
    request = simple_request(temperature=0.5, top_p=0.5, max_output_tokens=10, stop=["x"])
    assert DIALECT.encode(request, target_of(kind), stream=True).notes == []


def test_the_same_request_is_the_same_bytes() -> None:
    bodies = set()
    for order in ("abc", "cab", "bca"):
        request = simple_request(metadata={key: key for key in order}, logit_bias={str(ord(key)): 1 for key in order})
        bodies.add(DIALECT.encode(request, target_of("openai"), stream=True).body)
    assert len(bodies) == 1


@pytest.mark.parametrize(
    "schema", ['{"b":1,  "a" : 1.10}', '{"maximum": 12345678901234567890123}', ' {"e":1E5,"u":"\\u00e9"} ']
)
def test_schemas_go_byte_for_byte(schema: str) -> None:
    request = simple_request(
        tools=[{"name": "f", "parameters": schema}],
        response_format={"kind": "FORMAT_KIND_JSON_SCHEMA", "schema": schema},
    )
    body = DIALECT.encode(request, target_of("openai"), stream=False).body.decode()
    assert f'"parameters":{schema}' in body
    assert f'"schema":{schema}' in body


@pytest.mark.parametrize("kind", CHAT_KINDS)
def test_a_stream_asks_for_its_usage_where_it_must_be_asked_for(kind: str) -> None:
    streamed, whole = body_of(simple_request(), kind, stream=True), body_of(simple_request(), kind)
    asked = {"include_usage": True} if KINDS[kind].chat.stream_usage else None
    assert (streamed["stream"], streamed.get("stream_options")) == (True, asked)
    assert (whole["stream"], "stream_options" in whole) == (False, False)


def test_options_of_a_stream_are_added_to_ours() -> None:
    extension = '{"stream_options":{"include_usage":false,"include_obfuscation":false}}'
    body = body_of(simple_request(extensions={"openai_chat": extension}), stream=True)
    assert body["stream_options"] == {"include_usage": True, "include_obfuscation": False}


def test_the_request_itself_is_not_changed() -> None:
    request = simple_request(tools=[{"name": "f"}], extensions={"openai_chat": '{"a":1}'})
    before = request.SerializeToString(deterministic=True)
    DIALECT.encode(request, target_of("openai"), stream=True)
    assert request.SerializeToString(deterministic=True) == before


def test_what_the_gateway_alone_is_to_know_is_not_sent() -> None:
    request = simple_request(
        idempotency_key="canary-1", routing={"tags": {"t": "canary-2"}, "affinity_key": "canary-3"}
    )
    assert b"canary" not in DIALECT.encode(request, target_of("openai"), stream=True).body


@pytest.mark.parametrize("name", ["base_url", "api_key", "headers", "extra_headers"])
def test_no_extension_says_where_a_request_goes_or_as_whom(name: str) -> None:
    for key in ("openai_chat", "openai"):
        request = simple_request(extensions={key: orjson.dumps({name: "x"}).decode()})
        with pytest.raises(InvalidRequestError) as caught:
            DIALECT.encode(request, target_of("openai"), stream=True)
        assert caught.value.violations[0].field == f"extensions[{key}].{name}"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"choice_count": 2}, "choice_count"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"output_modalities": ["MODALITY_AUDIO"]}, "output_modalities"),
    ],
)
def test_what_a_client_reads_the_answer_by_is_never_left_out(fields: dict[str, object], field: str) -> None:
    with pytest.raises(UnsupportedByModelError) as caught:
        DIALECT.encode(simple_request(**fields), target_of("ollama"), stream=False)
    assert (caught.value.violations[0].field, caught.value.target) == (field, "ollama/m-1")


@pytest.mark.parametrize(
    ("kind", "tier", "sent"),
    [("groq", "performance", True), ("groq", "priority", False), ("mistral", "auto", True), ("openai", "newest", True)],
)
def test_a_service_tier_goes_where_there_is_one_of_that_name(kind: str, tier: str, sent: bool) -> None:
    assert (body_of(simple_request(service_tier=tier), kind).get("service_tier") == tier) is sent


@pytest.mark.parametrize("kind", ["deepseek", "zai"])
@pytest.mark.parametrize(
    ("reasoning", "sent"),
    [
        ({"enabled": False}, {"thinking": {"type": "disabled"}}),
        ({"effort": "REASONING_EFFORT_NONE"}, {"thinking": {"type": "disabled"}}),
        ({"enabled": True, "effort": "REASONING_EFFORT_NONE"}, {"thinking": {"type": "enabled"}}),
        ({"enabled": True, "effort": "REASONING_EFFORT_HIGH"}, {"reasoning_effort": "high"}),
        ({"native_effort": "ultra"}, {"reasoning_effort": "ultra"}),
    ],
)
def test_thinking_has_a_switch(kind: str, reasoning: object, sent: dict[str, object]) -> None:
    body = body_of(simple_request(reasoning=reasoning), kind)
    assert {name: body[name] for name in ("thinking", "reasoning_effort") if name in body} == sent


@pytest.mark.parametrize("data", ["", "[]", "{}}", "nonsense"])
def test_details_that_are_none_are_refused(data: str) -> None:
    request = simple_request()
    part = request.messages.add(role=Role.ROLE_ASSISTANT).parts.add()
    part.reasoning.text = "t"
    part.state.kind = StateKind.STATE_KIND_OPENROUTER_DETAIL
    part.state.data = data.encode()
    with pytest.raises(InvalidRequestError) as caught:
        DIALECT.encode(request, target_of("openrouter"), stream=False)
    assert caught.value.violations[0].field == "messages[1].parts[0].state.data"


@pytest.mark.parametrize(
    "media", [{"url": "https://example.org/a.pdf"}, {"data": "JVBERg==", "mime_type": "application/pdf"}]
)
def test_mistral_takes_documents_by_address(media: dict[str, object]) -> None:
    part = {"file": {"media": {"file_name": "a.pdf", **media}}}
    request = ParseDict({"messages": [{"role": "ROLE_USER", "parts": [part]}]}, CompleteRequest())
    messages = body_of(request, "mistral")["messages"]
    assert isinstance(messages, list)
    assert messages[0]["content"] == [
        {
            "type": "document_url",
            "document_url": media.get("url", "data:application/pdf;base64,JVBERg=="),
            "document_name": "a.pdf",
        }
    ]


def test_a_value_newer_than_the_gateway_is_noted() -> None:
    request = simple_request()
    request.verbosity = 99  # type: ignore[assignment]  # what a newer client may send
    wire = DIALECT.encode(request, target_of("openai"), stream=False)
    assert [line(note) for note in wire.notes] == ["DROPPED verbosity: the value 99 is not known"]


@pytest.mark.parametrize("role", [Role.ROLE_UNSPECIFIED, 99])
def test_a_message_needs_a_role_that_exists(role: int) -> None:
    request = CompleteRequest()
    request.messages.add(role=role).parts.add(text="Hi")  # any number may come over the wire
    with pytest.raises(InvalidRequestError) as caught:
        DIALECT.encode(request, target_of("openai"), stream=False)
    assert caught.value.violations[0].field == "messages[0].role"


@pytest.mark.parametrize(
    "part",
    [
        {"opaque": {"dialect": "openai_chat", "native": '{"type":"x"},{"role":"system"}'}},
        {"text": "Hi", "extensions": {"openai_chat": '{"a":1}}'}},
    ],
)
def test_native_json_that_is_none_cannot_reach_into_the_body(part: dict[str, object]) -> None:
    request = ParseDict({"messages": [{"role": "ROLE_USER", "parts": [part]}]}, CompleteRequest())
    with pytest.raises(InvalidRequestError):
        DIALECT.encode(request, target_of("openai"), stream=False)
