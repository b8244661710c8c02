"""A CompleteResponse as OpenAI's chat.completion."""

from collections.abc import Iterable, Sequence

from trunkline.v1 import Audio, Choice, CompleteResponse, Message, Part, Reasoning
from trunkline_bridge.openai.chat_objects import (
    CITATION,
    SHOWN_PARTS,
    STOP_TEXT,
    WEB_CITATION,
    Json,
    annotation,
    base64_text,
    completion_id,
    finish_word,
    logprob_items,
    logprobs_object,
    merge_extensions,
    tool_call_object,
    usage_object,
)
from trunkline_bridge.openai.chat_words import EXPLAINED_FINISHES
from trunkline_bridge.openai.reasoning_details import BETWEEN, MEMBER, detail
from trunkline_bridge.report import trunkline_object


def chat_completion(answer: CompleteResponse, *, functions: bool = False) -> Json:
    """`functions`: calls are told in the form of the deprecated functions API."""
    choices = [_choice(choice, functions=functions) for choice in answer.choices]
    return answer_object(answer, choices, name="chat.completion", id_prefix="chatcmpl-", shown=SHOWN_PARTS)


def answer_object(
    answer: CompleteResponse, choices: list[Json], *, name: str, id_prefix: str, shown: frozenset[str]
) -> Json:
    """The object around the choices. `shown` are the kinds of parts that they tell; others are named in the report."""
    found: Json = {
        "id": completion_id(answer.id, id_prefix),
        "object": name,
        "created": answer.created_at_ms // 1000,
        "model": answer.model,
        "choices": choices,
        "usage": usage_object(answer.usage) if answer.HasField("usage") else None,
    }
    if answer.service_tier:
        found["service_tier"] = answer.service_tier
    found["system_fingerprint"] = answer.system_fingerprint or None
    report = trunkline_object(
        answer.id,
        answer.report if answer.HasField("report") else None,
        answer.cost if answer.HasField("cost") else None,
    )
    if answer.provider_response_id:
        report["provider_response_id"] = answer.provider_response_id
    if unsaid := omitted((part for choice in answer.choices for part in choice.message.parts), shown):
        report["omitted"] = unsaid
    found["trunkline"] = report
    merge_extensions(found, answer.extensions)
    return found


def omitted(parts: Iterable[Part], shown: frozenset[str]) -> list[str]:
    """What an object has no member for: kinds of parts and of sources."""
    found: set[str] = set()
    for part in parts:
        found.add(part.WhichOneof("content") or "unknown")
        found.update(WEB_CITATION if citation.url else CITATION for citation in part.citations)
    return sorted(found - shown)


def reasoning_text(reasoning: Reasoning) -> str:
    """The thinking as shown, or the summary of it, paragraph by paragraph."""
    return BETWEEN.join(filter(None, (reasoning.text, *reasoning.summary)))


def audio_object(audio: Audio) -> Json:
    """The sound of an answer."""
    return {
        "id": audio.id,
        "data": base64_text(audio.media.data),
        "expires_at": audio.expires_at_ms // 1000,
        "transcript": audio.transcript,
    }


def _choice(choice: Choice, *, functions: bool) -> Json:
    word = finish_word(choice.finish_reason, choice.native_finish_reason)
    message = _message(choice.message, functions=functions)
    if choice.finish_detail and message["refusal"] is None and choice.finish_reason in EXPLAINED_FINISHES:
        message["refusal"] = choice.finish_detail
    found: Json = {
        "index": choice.index,
        "message": message,
        "logprobs": _logprobs(choice.message.parts),
        "finish_reason": "function_call" if functions and word == "tool_calls" else word,
    }
    if choice.native_finish_reason not in ("", word):
        found["native_finish_reason"] = choice.native_finish_reason
    if choice.stop_sequence:
        found[STOP_TEXT] = choice.stop_sequence
    merge_extensions(found, choice.extensions)
    return found


def _logprobs(parts: Sequence[Part]) -> Json | None:
    told = [part for part in parts if part.logprobs]
    if not told:  # nearly always
        return None
    return logprobs_object(
        [item for part in told if part.HasField("text") for item in logprob_items(part.logprobs)],
        [item for part in told if part.HasField("refusal") for item in logprob_items(part.logprobs)],
    )


def _message(message: Message, *, functions: bool) -> Json:
    content: list[str] = []
    refusal: list[str] = []
    reasoning: list[str] = []
    annotations: list[Json] = []
    calls: list[Json] = []
    audio: Json | None = None
    extra: list[Part] = []
    details: list[Json] = []
    offset = 0
    for index, part in enumerate(message.parts):
        if part.HasField("state") or part.phase:
            details += _details(part, index, after_text=bool(content), after_calls=len(calls))
        match part.WhichOneof("content"):
            case "text":
                content.append(part.text)
                annotations += (annotation(c, offset, len(part.text)) for c in part.citations if c.url)
                offset += len(part.text)
                extra.append(part)
            case "reasoning":
                reasoning.append(reasoning_text(part.reasoning))
                extra.append(part)
            case "refusal":
                refusal.append(part.refusal)
                extra.append(part)
            case "tool_call":
                calls.append(_tool_call(part))
            case "audio":
                audio = audio_object(part.audio)
            case _:
                pass  # named in the report, see SHOWN_PARTS
    found: Json = {
        "role": "assistant",
        "content": "".join(content) if content or not (calls or refusal or audio) else None,
        "refusal": "".join(refusal) if refusal else None,
        "annotations": annotations,
    }
    if thinking := BETWEEN.join(filter(None, reasoning)):
        found["reasoning_content"] = thinking
    if details:
        found[MEMBER] = details
    if audio is not None:
        found["audio"] = audio
    if functions and calls and calls[0]["type"] == "function":
        found["function_call"] = calls.pop(0)["function"]
    if calls:
        found["tool_calls"] = calls
    for part in extra:
        merge_extensions(found, part.extensions)
    merge_extensions(found, message.extensions)
    return found


def _details(part: Part, index: int, *, after_text: bool, after_calls: int) -> list[Json]:
    """What must come back of a part, if anything."""
    entry = detail(
        part,
        on=part.WhichOneof("content") or "",
        index=index,
        call_id=part.tool_call.id,
        chars=len(reasoning_text(part.reasoning)),
        after_text=after_text,
        after_calls=after_calls,
    )
    return [entry] if entry else []


def _tool_call(part: Part) -> Json:
    found = tool_call_object(part.tool_call)
    if found["type"] == "function" and not part.tool_call.arguments:
        found["function"]["arguments"] = "{}"
    merge_extensions(found, part.extensions)
    return found
