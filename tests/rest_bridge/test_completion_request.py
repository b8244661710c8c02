"""The older completions' parameters as a chat of one user message."""

from typing import Any

import pytest

from trunkline.v1 import CompleteRequest, Role
from trunkline_bridge.errors import ParameterError
from trunkline_bridge.openai.completion_request import read_completion_request

BASE: dict[str, Any] = {"model": "fast", "prompt": "Say it"}


def expected(**fields: object) -> CompleteRequest:
    request = CompleteRequest(model="fast", **fields)  # type: ignore[arg-type] # a table of any fields
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Say it")
    return request


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, {}),
        ({"prompt": ["Say it"]}, {}),
        ({"max_tokens": 16}, {"max_output_tokens": 16}),
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}),
        ({"n": 2, "best_of": 2}, {"choice_count": 2}),
        ({"best_of": 1}, {}),
        ({"stop": "\n"}, {"stop": ["\n"]}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"presence_penalty": 1, "frequency_penalty": -1}, {"presence_penalty": 1, "frequency_penalty": -1}),
        ({"seed": 7, "user": "u"}, {"seed": 7, "end_user": "u"}),
        ({"logit_bias": {"50256": -100}}, {"logit_bias": {50256: -100}}),
        ({"logprobs": 0}, {"logprobs": True, "top_logprobs": 0}),
        ({"logprobs": 5}, {"logprobs": True, "top_logprobs": 5}),
        ({"suffix": None, "echo": False, "logprobs": None, "best_of": None}, {}),
        ({"suffix": ""}, {}),
        ({"min_p": 0.5}, {"extensions": {"openai_chat": '{"min_p":0.5}'}}),
    ],
)
def test_a_completion_asks_for_what_a_chat_would(given: dict[str, Any], fields: dict[str, Any]) -> None:
    ask = read_completion_request(BASE | given)
    assert ask.request == expected(**fields)
    assert (ask.stream, ask.include_usage, ask.functions) == (False, False, False)


def test_wishes_about_the_form_of_the_answer_are_those_of_chat() -> None:
    ask = read_completion_request(BASE | {"stream": True, "stream_options": {"include_usage": True}})
    assert (ask.stream, ask.include_usage) == (True, True)


def test_wishes_about_routing_are_those_of_chat() -> None:
    ask = read_completion_request(BASE | {"trunkline": {"no_fallback": True}})
    assert ask.request.routing.no_fallback


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": 3}, "prompt", "invalid_type"),
        ({"prompt": []}, "prompt", "invalid_value"),
        ({"prompt": [1, 2]}, "prompt", "invalid_value"),
        ({"prompt": [[1, 2]]}, "prompt", "invalid_value"),
        ({"prompt": ["a", "b"]}, "prompt", "invalid_value"),
        ({"prompt": [None]}, "prompt[0]", "invalid_type"),
        ({"suffix": "end"}, "suffix", "unsupported_parameter"),
        ({"echo": True}, "echo", "unsupported_parameter"),
        ({"best_of": 3}, "best_of", "unsupported_parameter"),
        ({"n": 3, "best_of": 2}, "best_of", "unsupported_parameter"),
        ({"best_of": "3"}, "best_of", "invalid_type"),
        ({"logprobs": True}, "logprobs", "invalid_type"),
        ({"logprobs": 21}, "logprobs", "integer_above_max_value"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"messages": []}, "messages", "unknown_parameter"),
        ({"tools": []}, "tools", "unknown_parameter"),
        ({"api_key": "x"}, "api_key", "unknown_parameter"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(given: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(ParameterError) as caught:
        read_completion_request(BASE | given)
    assert (caught.value.param, caught.value.openai_code) == (param, code)


def test_a_complaint_quotes_no_prompt() -> None:
    with pytest.raises(ParameterError) as caught:
        read_completion_request({"model": "m", "prompt": ["c4n4ry one", "c4n4ry two"]})
    assert "c4n4ry" not in str(caught.value)
    assert "2" in str(caught.value)
