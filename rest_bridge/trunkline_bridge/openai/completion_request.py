"""OpenAI's older completions.create as a chat of one user message.

The parameters: https://platform.openai.com/docs/api-reference/completions/create.
"""

from collections.abc import Mapping
from typing import Final

from trunkline_bridge.errors import ParameterError
from trunkline_bridge.openai.chat_request import ChatAsk, read_chat_request
from trunkline_bridge.openai.fields import INT32, Json, flag, integer, invalid, missing, text, unknown, wrong_type

MAX_LOGPROBS: Final = 20
"""As many as a chat can give; OpenAI's own limit is 5."""

# A completion answers with text and nothing else, to nothing but a text.
_CHAT_ONLY: Final = frozenset(
    (
        "audio",
        "function_call",
        "functions",
        "messages",
        "modalities",
        "parallel_tool_calls",
        "tool_choice",
        "tools",
        "top_logprobs",
    )
)
# What chat models cannot do; its absence is no loss where the value is one of these.
_HARMLESS: Final[Mapping[str, tuple[object, ...]]] = {"suffix": (None, ""), "echo": (None, False)}
_OWN: Final = frozenset(("prompt", "logprobs", "best_of", *_HARMLESS))


def read_completion_request(body: Json) -> ChatAsk:
    """Reads a parsed body. Raises ParameterError for the first parameter that is not as it may be."""
    for name in body.keys() & _CHAT_ONLY:
        raise unknown(name)
    chat: Json = {name: value for name, value in body.items() if name not in _OWN}
    if "model" in body:  # else that is the first complaint
        chat["messages"] = [{"role": "user", "content": _prompt(body.get("prompt"))}]
    _check_unsupported(body)
    if (logprobs := body.get("logprobs")) is not None:
        chat["logprobs"] = True
        chat["top_logprobs"] = integer(logprobs, "logprobs", 0, MAX_LOGPROBS)
    return read_chat_request(chat, max_messages=1)


def _prompt(value: object) -> str:
    """The one text. Several prompts would be several requests, each with its own id, attempts and cost."""
    if value is None:
        raise missing("prompt")
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise wrong_type("prompt", "a string or an array of one string", value)
    if not value or isinstance(value[0], int | list):
        raise invalid("prompt", "it must be text: arrays of tokens belong to one model, and this gateway has many.")
    if len(value) > 1:
        raise invalid("prompt", f"one prompt a request, but got {len(value)}. Send a request for each.")
    return text(value[0], "prompt[0]")


def _check_unsupported(body: Json) -> None:
    for name, harmless in _HARMLESS.items():
        if body.get(name) not in harmless:
            raise _unsupported(name)
    if (echo := body.get("echo")) is not None:
        flag(echo, "echo")
    if (best_of := body.get("best_of")) is not None:
        wanted = integer(best_of, "best_of", 1, INT32[1])
        if wanted != (body.get("n") or 1):
            raise _unsupported("best_of")


def _unsupported(name: str) -> ParameterError:
    message = f"Unsupported parameter: '{name}' has no meaning for the chat models that answer this request."
    return ParameterError(name, message, code="unsupported_parameter")
