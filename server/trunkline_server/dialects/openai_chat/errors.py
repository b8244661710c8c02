"""What the error answers of the chat completions wire mean."""

from collections.abc import Mapping
from typing import Final

from trunkline.errors import GatewayError
from trunkline_server.dialects import openai_errors
from trunkline_server.dialects.openai_chat.fields import contract_field
from trunkline_server.providers.target import Target

# What a vendor advises that is to be done otherwise here, by the parameter and words that it says it with.
# https://platform.openai.com/docs/guides/latest-model: models from GPT-5.4 on refuse tools with reasoning on this API.
_ADVICE: Final = (
    (
        "reasoning_effort",
        "/v1/responses",
        "The gateway reaches this model by chat completions: set the effort to none, or its dialect to openai_responses.",
    ),
)


def read_error(target: Target, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The failure that an error answer means; a status of 2xx says that it came within an answer that began well."""
    return openai_errors.read_error(target, status, headers, body, fields=contract_field, advice=_advice)


def _advice(param: str, said: str) -> str:
    return next((text for at, words, text in _ADVICE if param == at and words in said), "")
