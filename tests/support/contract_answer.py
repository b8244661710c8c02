"""What a CompleteResponse says, for comparing with what its provider said."""

import base64
from collections.abc import Iterable, Mapping

from trunkline.v1 import Choice, CompleteResponse, FinishReason, Part, ToolCall, ToolKind, Usage
from wire_answer import Said, SaidCall, SaidChoice

FINISHES: Mapping[int, str] = {
    FinishReason.FINISH_REASON_STOP: "stop",
    FinishReason.FINISH_REASON_STOP_SEQUENCE: "stop",
    FinishReason.FINISH_REASON_LENGTH: "length",
    FinishReason.FINISH_REASON_CONTEXT_LENGTH: "length",
    FinishReason.FINISH_REASON_TOOL_CALLS: "tool_calls",
    FinishReason.FINISH_REASON_CONTENT_FILTER: "content_filter",
    FinishReason.FINISH_REASON_REFUSAL: "content_filter",
    FinishReason.FINISH_REASON_PAUSED: "length",
}
KINDS: Mapping[int, str] = {ToolKind.TOOL_KIND_FUNCTION: "function", ToolKind.TOOL_KIND_CUSTOM: "custom"}


def read_contract(answer: CompleteResponse) -> Said:
    """The answer in the words of the wire."""
    return Said(
        model=answer.model,
        choices=tuple(_choice(choice) for choice in answer.choices),
        usage=_usage(answer.usage) if answer.HasField("usage") else None,
    )


def _choice(choice: Choice) -> SaidChoice:
    parts: Iterable[Part] = choice.message.parts
    return SaidChoice(
        text="".join(part.text for part in parts),
        reasoning="".join(part.reasoning.text for part in parts),
        refusal="".join(part.refusal for part in parts),
        calls=tuple(_call(part.tool_call) for part in parts if part.HasField("tool_call")),
        finish=FINISHES[choice.finish_reason],
        sources=tuple(citation.url for part in parts for citation in part.citations if citation.url),
        tokens=tuple((token.token, token.logprob) for part in parts for token in part.logprobs),
        sound=base64.b64encode(b"".join(part.audio.media.data for part in parts)).decode(),
    )


def _call(call: ToolCall) -> SaidCall:
    return SaidCall(id=call.id, kind=KINDS[call.kind], name=call.name, arguments=call.arguments or "{}")


def _usage(usage: Usage) -> Mapping[str, int]:
    """Counts by the names of wire_answer.USAGE_PLACES."""
    found = {"prompt": usage.input_tokens, "completion": usage.output_tokens}
    for holder, names in _OPTIONAL:
        known = {field.name: value for field, value in (getattr(usage, holder) if holder else usage).ListFields()}
        found |= {name: known[field] for name, field in names.items() if field in known}
    return found


# Counts that may be unknown: those of the message itself, then those of its messages.
_OPTIONAL: tuple[tuple[str, Mapping[str, str]], ...] = (
    (
        "",
        {
            "cache_read": "cache_read_tokens",
            "cache_write": "cache_write_tokens",
            "reasoning": "reasoning_tokens",
            "predicted": "accepted_prediction_tokens",
            "mispredicted": "rejected_prediction_tokens",
        },
    ),
    ("input_by_modality", {"audio_in": "audio"}),
    ("output_by_modality", {"audio_out": "audio"}),
)
