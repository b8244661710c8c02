"""The contract's rules: each broken one is named with its field."""

import math

import pytest
from google.protobuf import text_format

from trunkline.errors import InvalidRequestError
from trunkline.v1 import CompleteRequest
from trunkline_server.config.settings import Limits
from trunkline_server.engine.validation import validate

LIMITS = Limits(max_messages=3)
USER = 'messages { role: ROLE_USER parts { text: "Hi" } }'
CALL = 'messages { role: ROLE_ASSISTANT parts { tool_call { id: "c" name: "f" arguments: "{" } } }'

GOOD = [
    f'model: "m" {USER}',
    f'model: "m" {USER} messages {{ role: ROLE_ASSISTANT }}',
    f'model: "m" {USER} temperature: 0 top_p: 1 choice_count: 1 top_logprobs: 20 max_output_tokens: 0 seed: -5',
    f'model: "m" {USER} tools {{ name: "f" parameters: "{{}}" }} tool_choice {{ mode: TOOL_CHOICE_MODE_REQUIRED names: "f" }}',
    f'model: "m" {USER} tools {{ server {{ dialect: "anthropic" type: "web" settings: "{{}}" }} }}',
    f'model: "m" {USER} tools {{ server {{ dialect: "d" type: "a" }} }} tools {{ server {{ dialect: "d" type: "b" }} }}',
    f'model: "m" {USER} {CALL} messages {{ role: ROLE_TOOL parts {{ tool_result {{ call_id: "c" parts {{ json: "[1]" }} }} }} }}',
    'model: "m" messages { role: ROLE_ASSISTANT parts { audio { id: "a" } } }',
    f'model: "m" {USER} response_format {{ kind: FORMAT_KIND_JSON_SCHEMA schema: "{{}}" }}',
    f'model: "m" {USER} extensions {{ key: "openai_chat" value: "{{\\"x\\":1}}" }}',
]

BAD = [
    ("", ["model", "messages"]),
    ('model: "m"', ["messages"]),
    (f"{USER}", ["model"]),
    (f'model: "m" {USER}{USER}{USER}{USER}', ["messages"]),
    ('model: "m" messages { parts { text: "Hi" } }', ["messages[0].role"]),
    ('model: "m" messages { role: 99 parts { text: "Hi" } }', ["messages[0].role"]),
    ('model: "m" messages { role: ROLE_USER }', ["messages[0].parts"]),
    ('model: "m" messages { role: ROLE_USER parts { } }', ["messages[0].parts[0]"]),
    ('model: "m" messages { role: ROLE_TOOL parts { text: "x" } }', ["messages[0].parts[0]"]),
    (
        'model: "m" messages { role: ROLE_USER parts { tool_result { } } }',
        ["messages[0].parts[0]", "messages[0].parts[0].tool_result.call_id"],
    ),
    (
        'model: "m" messages { role: ROLE_TOOL parts { tool_result { call_id: "c" parts { json: "{" } parts { } } } }',
        ["messages[0].parts[0].tool_result.parts[0].json", "messages[0].parts[0].tool_result.parts[1]"],
    ),
    (
        'model: "m" messages { role: ROLE_USER parts { tool_call { } } }',
        ["messages[0].parts[0]", "messages[0].parts[0].tool_call.name"],
    ),
    ('model: "m" messages { role: ROLE_USER parts { image { } } }', ["messages[0].parts[0].image.media"]),
    ('model: "m" messages { role: ROLE_TOOL parts { image { } } }', ["messages[0].parts[0]"]),
    (f'model: "m" {USER} temperature: 2.1', ["temperature"]),
    (f'model: "m" {USER} temperature: nan top_p: inf min_p: -inf', ["temperature", "top_p", "min_p"]),
    (f'model: "m" {USER} repetition_penalty: inf', ["repetition_penalty"]),
    (f'model: "m" {USER} choice_count: 0 top_logprobs: 21 max_output_tokens: -1', ["max_output_tokens", "choice_count", "top_logprobs"]),
    (f'model: "m" {USER} logit_bias {{ key: 5 value: 101 }}', ["logit_bias[5]"]),
    (f'model: "m" {USER} tools {{ }}', ["tools[0].name"]),
    (f'model: "m" {USER} tools {{ name: "f" }} tools {{ name: "f" }}', ["tools[1].name"]),
    (f'model: "m" {USER} tools {{ name: "f" parameters: "{{}},\\"api_key\\":1" }}', ["tools[0].parameters"]),
    (f'model: "m" {USER} tools {{ server {{ settings: "x" }} }}', ["tools[0].server", "tools[0].server.settings"]),
    (f'model: "m" {USER} tools {{ name: "f" }} tool_choice {{ names: "g" }}', ["tool_choice.names"]),
    (f'model: "m" {USER} response_format {{ kind: FORMAT_KIND_JSON_SCHEMA }}', ["response_format.schema"]),
    (f'model: "m" {USER} response_format {{ kind: FORMAT_KIND_JSON_SCHEMA schema: "{{" }}', ["response_format.schema"]),
    (f'model: "m" {USER} routing {{ max_attempts: 0 timeout_ms: -1 strategy: "x" }}', ["routing.max_attempts", "routing.timeout_ms", "routing.strategy"]),
    (f'model: "m" {USER} idempotency_key: "{"k" * 256}"', ["idempotency_key"]),
    (f'model: "m" {USER} extensions {{ key: "vllm" value: "[]" }}', ["extensions[vllm]"]),
    (f'model: "m" {USER} extensions {{ key: "x" value: "{{\\"api_key\\":\\"k\\"}}" }}', ["extensions[x].api_key"]),
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_a_request_by_the_rules_passes(text: str) -> None:
    validate(text_format.Parse(text, CompleteRequest()), LIMITS)


@pytest.mark.parametrize(("text", "fields"), BAD)
def test_a_broken_rule_is_named_with_its_field(text: str, fields: list[str]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validate(text_format.Parse(text, CompleteRequest()), LIMITS)
    assert [violation.field for violation in caught.value.violations] == fields
    assert fields[0] in caught.value.message


def test_at_most_ten_violations_are_told() -> None:
    request = CompleteRequest(model="m", temperature=math.nan)
    request.messages.add().parts.add()
    for _ in range(50):
        request.tools.add()
    with pytest.raises(InvalidRequestError) as caught:
        validate(request, LIMITS)
    assert len(caught.value.violations) == 10
