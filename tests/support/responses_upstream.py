"""A provider of the Responses API that keeps its rules: it remembers what it gave out, and refuses what breaks them."""

from strict_responses import Json, complaints
from upstream import Answer

MODEL = "gpt-5.6-sol"
USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 29,
}
CALLS: list[Json] = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "I look."}, {"type": "summary_text", "text": "Twice."}],
        "encrypted_content": "gAAA-1",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [{"type": "output_text", "text": "One moment.", "annotations": []}],
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "f",
        "arguments": '{"a":1}',
        "status": "completed",
    },
    {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "f", "arguments": "{}", "status": "completed"},
]
SAYS: list[Json] = [
    {
        "type": "message",
        "id": "msg_2",
        "role": "assistant",
        "status": "completed",
        "phase": "final_answer",
        "content": [{"type": "output_text", "text": "It is 42.", "annotations": []}],
    }
]
PAIRS = {"msg_1": "rs_1", "fc_1": "rs_1", "fc_2": "rs_1"}
"""What it has given out together."""


async def answer_strictly(answer: Answer) -> None:
    """Calls tools the first time, and is done once it has their results."""
    body = answer.call.json
    if answer.call.path.rpartition("/v1")[2] != "/responses":
        await answer.json({"error": {"message": f"Unknown URL {answer.call.path}"}}, 404)
        return
    if found := complaints(body, body["model"], pairs=PAIRS):
        error = {"message": "; ".join(found), "type": "invalid_request_error", "param": "input", "code": None}
        await answer.json({"error": error}, 400)
        return
    output = SAYS if any(item.get("type") == "function_call_output" for item in body["input"]) else CALLS
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": MODEL, "service_tier": "default"}
    if not body["stream"]:
        await answer.json({**whole, "status": "completed", "output": output, "usage": USAGE})
        return
    await answer.start_stream()
    await answer.frame({"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}})
    for place, item in enumerate(output):
        for event in events_of(item, place):
            await answer.frame(event)
    end = {**whole, "status": "completed", "output": output, "usage": USAGE}
    await answer.frame({"type": "response.completed", "response": end})
    await answer.end_stream()


def events_of(item: Json, place: int) -> list[Json]:
    """An item in the pieces of a stream."""
    at = {"output_index": place, "item_id": item["id"]}
    begun = {**item, "status": "in_progress"}
    pieces: list[Json] = []
    match item["type"]:
        case "message":
            begun["content"] = []
            for index, part in enumerate(item["content"]):
                here = {**at, "content_index": index}
                pieces.append({"type": "response.content_part.added", **here, "part": {**part, "text": ""}})
                pieces += [
                    {"type": "response.output_text.delta", **here, "delta": piece} for piece in halves(part["text"])
                ]
                pieces.append({"type": "response.content_part.done", **here, "part": part})
        case "reasoning":
            begun |= {"summary": [], "encrypted_content": "gAAA-early"}
            for index, part in enumerate(item["summary"]):
                here = {**at, "summary_index": index}
                pieces += [
                    {"type": "response.reasoning_summary_text.delta", **here, "delta": piece}
                    for piece in halves(part["text"])
                ]
        case _:
            begun["arguments"] = ""
            pieces += [
                {"type": "response.function_call_arguments.delta", **at, "delta": piece}
                for piece in halves(item["arguments"])
            ]
    return [
        {"type": "response.output_item.added", "output_index": place, "item": begun},
        *pieces,
        {"type": "response.output_item.done", "output_index": place, "item": item},
    ]


def halves(text: str) -> tuple[str, str]:
    """A text in two pieces."""
    middle = len(text) // 2
    return text[:middle], text[middle:]
