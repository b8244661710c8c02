"""What whole and streamed answers say alike: ids, ends, usage, log probabilities, sources, vendors' own members."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from trunkline.errors import ProviderBadAnswerError
from trunkline.v1 import Citation, FinishReason, ModalityTokens, TokenLogprob, ToolCall, ToolKind, Usage
from trunkline_bridge.json_text import read_members
from trunkline_bridge.openai.chat_words import DIALECT, FINISH_WORDS, FINISHES

Json = dict[str, Any]

CITATION = "citation"
"""What a source is called that is not on the web."""
WEB_CITATION = "url_citation"
"""What a source on the web is called."""
SHOWN_PARTS = frozenset(("text", "reasoning", "tool_call", "refusal", "audio", WEB_CITATION))
"""What OpenAI's message has a member for; other kinds of parts and sources are named in `trunkline.omitted`."""

STOP_TEXT = "stop_reason"
"""Where vLLM tells the stop text that was met; OpenAI has no place for it."""

# Ends that are failures, in the words of Gemini, Bedrock, Mistral and Cohere: never told as an end of OpenAI's.
_FAILURES = frozenset(
    (
        "error",
        "timeout",
        "malformed_function_call",
        "malformed_response",
        "unexpected_tool_call",
        "too_many_tool_calls",
        "missing_thought_signature",
        "malformed_model_output",
        "malformed_tool_use",
    )
)

# OpenAI's names and ours.
_PROMPT_DETAILS = {"cached_tokens": "cache_read_tokens", "cache_write_tokens": "cache_write_tokens"}
_PROMPT_MODALITIES = {"audio_tokens": "audio", "image_tokens": "image", "text_tokens": "text"}
_COMPLETION_DETAILS = {
    "reasoning_tokens": "reasoning_tokens",
    "accepted_prediction_tokens": "accepted_prediction_tokens",
    "rejected_prediction_tokens": "rejected_prediction_tokens",
}
_COMPLETION_MODALITIES = {"audio_tokens": "audio", "text_tokens": "text"}


def completion_id(request_id: str, prefix: str) -> str:
    """OpenAI's id of an answer, made of the request's, so that either leads to the logs."""
    return prefix + request_id.removeprefix("req_")


def finish_word(reason: "FinishReason.ValueType", native: str) -> str:
    """Why an answer ended in one of OpenAI's five words.

    Raises ProviderBadAnswerError for an end that is none: a `stop` is never made up.
    """
    if (found := FINISHES.get(reason)) is not None:
        return found
    if native in FINISH_WORDS:
        return native
    if not native or native.lower() in _FAILURES:
        raise ProviderBadAnswerError("The model's provider did not say that the answer is complete.")
    return "stop"  # a reason newer than the contract's; the answer carries the native word beside it


def usage_object(usage: Usage) -> Json:
    """Token counts; those that are not known are left out."""
    known = _fields(usage)
    taken, given = usage.input_tokens, usage.output_tokens
    of_prompt, of_completion = _renamed(known, _PROMPT_DETAILS), _renamed(known, _COMPLETION_DETAILS)
    if (modalities := known.get("input_by_modality")) is not None:
        of_prompt |= _renamed(_fields(modalities), _PROMPT_MODALITIES)
    if (modalities := known.get("output_by_modality")) is not None:
        of_completion |= _renamed(_fields(modalities), _COMPLETION_MODALITIES)
    found: Json = {
        "prompt_tokens": taken,
        "completion_tokens": given,
        "total_tokens": taken + given,
        "prompt_tokens_details": of_prompt,
        "completion_tokens_details": of_completion,
    }
    if usage.estimated:
        found["estimated"] = True
    return found


def logprob_items(tokens: Iterable[TokenLogprob]) -> list[Json]:
    """Entries of `logprobs.content` and `logprobs.refusal`."""
    return [{**_logprob(token), "top_logprobs": [_logprob(top) for top in token.top]} for token in tokens]


def logprobs_object(content: list[Json], refusal: list[Json]) -> Json | None:
    """None where none were given."""
    return {"content": content or None, "refusal": refusal or None} if content or refusal else None


def tool_call_object(call: ToolCall) -> Json:
    """A call as far as it is known; the pieces of its arguments may be still to come."""
    if call.kind == ToolKind.TOOL_KIND_CUSTOM:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def base64_text(data: bytes) -> str:
    """Bytes as JSON can hold them."""
    return base64.b64encode(data).decode()


def annotation(citation: Citation, offset: int, length: int) -> Json:
    """A source on the web. Its part's text begins `offset` characters into the content and is `length` long."""
    whole = not (citation.HasField("start") and citation.HasField("end"))
    source = {
        "url": citation.url,
        "title": citation.title,
        "start_index": offset + (0 if whole else citation.start),
        "end_index": offset + (length if whole else citation.end),
    }
    return {"type": WEB_CITATION, WEB_CITATION: source}


def merge_extensions(found: Json, extensions: Mapping[str, str]) -> None:
    """Puts a vendor's own members where they stood; what is there already stays."""
    if DIALECT in extensions:
        _merge(found, read_members(extensions[DIALECT]))


def _merge(found: Json, extra: Json) -> None:
    for name, value in extra.items():
        if found.get(name) is None:
            found[name] = value
        elif isinstance(found[name], dict) and isinstance(value, dict):
            _merge(found[name], value)


def _fields(message: Usage | ModalityTokens) -> Json:
    """What is set, an explicit zero included."""
    return {field.name: value for field, value in message.ListFields()}


def _renamed(known: Json, names: Mapping[str, str]) -> Json:
    return {name: known[field] for name, field in names.items() if field in known}


def _logprob(token: TokenLogprob) -> Json:
    return {
        "token": token.token,
        "logprob": token.logprob,
        "bytes": list(token.utf8) if token.HasField("utf8") else None,
    }
