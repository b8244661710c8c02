"""A strict reader of requests to Anthropic's Messages API: says which of its documented rules one breaks.

The rules stand in https://platform.claude.com/docs/en/api/messages/create and, below /docs/en/build-with-claude, in
extended-thinking, adaptive-thinking, prompt-caching, structured-outputs and mid-conversation-system-messages; those on
tools in /docs/en/agents-and-tools/tool-use. It shares no code with the dialect.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

TOP = frozenset(
    {
        "cache_control",
        "container",
        "context_management",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "mcp_servers",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",  # what output_config.format was called in its beta
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
VERTEX_TOP = (TOP - {"model", "cache_control", "service_tier", "speed"}) | {"anthropic_version"}
SAMPLING = ("temperature", "top_p", "top_k")
BLOCKS: Mapping[str, frozenset[str]] = {
    "user": frozenset({"text", "image", "document", "search_result", "tool_result", "container_upload"}),
    "assistant": frozenset({"text", "thinking", "redacted_thinking", "tool_use", "server_tool_use"}),
    "system": frozenset({"text", "tool_addition", "tool_removal"}),
}
RESULT_BLOCKS = frozenset({"text", "image", "document", "search_result", "tool_reference"})
IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
ID = re.compile(r"[a-zA-Z0-9_-]+")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
LEAST_BUDGET = 1024
MOST_MARKS = 4


def complaints(
    body: Json, model: str, *, version: str = "2023-06-01", vertex: bool = False, signatures: Collection[str] = ()
) -> list[str]:
    """The rules that a request body for this model breaks; none if Anthropic would take it.

    `signatures` are those that the model has given; with none any is taken for its own.
    """
    claude = Claude(model)
    return [
        *_top(body, claude, vertex=vertex, version=version),
        *_messages(body.get("messages") or [], claude, signatures),
        *_marks(body),
        *_tools(body, claude),
        *_thinking(body, claude),
        *_format(body, claude),
    ]


class Claude:
    """A model by its name: which generation, and what follows from it."""

    def __init__(self, model: str) -> None:
        found = re.search(r"claude-(?:[a-z]+-)?(\d)(?:-(\d)(?!\d))?", model)
        self.version = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
        self.always_thinks = "fable" in model or "mythos" in model
        self.samples = self.version < (4, 7) and not self.always_thinks
        self.prefills = self.version < (4, 6) and not self.always_thinks
        self.takes_budget = (3, 7) <= self.version < (4, 7)
        self.adapts = self.version >= (4, 6)
        self.schemas = self.version >= (4, 5)
        self.system_midway = self.version > ((5, 0) if "sonnet" in model else (4, 7))


def _top(body: Json, claude: Claude, *, vertex: bool, version: str) -> Iterator[str]:
    for name in sorted(body.keys() - (VERTEX_TOP if vertex else TOP)):
        yield f"{name}: Extra inputs are not permitted"
    for name in ("max_tokens", "messages", *([] if vertex else ["model"])):
        if name not in body:
            yield f"{name}: Field required"
    if vertex and body.get("anthropic_version") != "vertex-2023-10-16":
        yield "anthropic_version: Field required"
    for name in SAMPLING:
        if name in body and (version >= "2026-10-21" or not claude.samples):
            yield f"{name}: Extra inputs are not permitted"
    if not 0 <= body.get("temperature", 0) <= 1:
        yield "temperature: Input should be less than or equal to 1"
    if {"temperature", "top_p"} <= body.keys() and claude.version >= (4, 1):
        yield "`temperature` and `top_p` cannot both be specified for this model"
    for text in body.get("stop_sequences", ()):
        if not text.strip():
            yield "stop_sequences: each stop sequence must contain non-whitespace"
    for block in body.get("system") or ():
        if isinstance(block, str):
            break
        if block.get("type") != "text" or not block.get("text", "").strip():
            yield "system: text content blocks must contain non-whitespace text"


def _messages(messages: Sequence[Json], claude: Claude, signatures: Collection[str]) -> Iterator[str]:
    if not messages:
        yield "messages: at least one message is required"
        return
    if messages[0].get("role") != "user":
        yield "messages: first message must use the user role"
    for at, message in enumerate(messages):
        where, role, before = f"messages.{at}", message.get("role", ""), messages[at - 1] if at else {}
        content = _content(message)
        if role not in BLOCKS:
            yield f"{where}.role: Input should be user, assistant or system"
            continue
        if not content:
            yield f"{where}: all messages must have non-empty content"
        if before.get("role") == role:
            yield f"{where}: roles must alternate"  # they would be joined, but the gateway joins them itself
        if role == "system":
            yield from _system_midway(messages, at, claude)
        for number, block in enumerate(content):
            yield from _block(block, role, f"{where}.content.{number}", signatures)
    yield from _pairs(messages)
    last = messages[-1]
    if last.get("role") == "assistant" and not _is_paused(last):
        if not claude.prefills:
            yield "this model does not support assistant message prefill"
        final = _content(last)[-1] if _content(last) else {}
        if final.get("text", "").rstrip() != final.get("text", ""):
            yield "messages: final assistant content cannot end with trailing whitespace"


def _block(block: Json, role: str, where: str, signatures: Collection[str]) -> Iterator[str]:
    kind = block.get("type", "")
    if kind not in BLOCKS[role] and not (role == "assistant" and (kind.endswith("_tool_result") or "mcp" in kind)):
        yield f"{where}: {kind} is not permitted in a message of role {role}"
        return
    match kind:
        case "text":
            # The model's own white space was seen to be taken back.
            if not (block.get("text", "") if role == "assistant" else block.get("text", "").strip()):
                yield f"{where}: text content blocks must contain non-whitespace text"
        case "image" | "document":
            yield from _source(block.get("source") or {}, kind, where)
        case "thinking":
            if "thinking" not in block or not block.get("signature"):
                yield f"{where}.signature: Field required"
            elif signatures and block["signature"] not in signatures:
                yield f"{where}: Invalid `signature` in `thinking` block"
        case "redacted_thinking":
            if not block.get("data") or (signatures and block["data"] not in signatures):
                yield f"{where}: Invalid `data` in `redacted_thinking` block"
        case "tool_use" | "server_tool_use":
            if not ID.fullmatch(block.get("id", "")):
                yield f"{where}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
            if not isinstance(block.get("input"), dict):
                yield f"{where}.input: Input should be a valid dictionary"
        case "tool_result":
            yield from _result(block, where)
        case _:
            pass


def _source(source: Json, kind: str, where: str) -> Iterator[str]:
    match source.get("type"):
        case "base64":
            allowed = IMAGES if kind == "image" else {"application/pdf"}
            if source.get("media_type") not in allowed or not source.get("data"):
                yield f"{where}.source: base64 needs data and one of {sorted(allowed)}"
        case "url":
            if not source.get("url", "").startswith("https://"):
                yield f"{where}.source.url: Only HTTPS URLs are supported"
        case "file":
            if not source.get("file_id"):
                yield f"{where}.source.file_id: Field required"
        case "text" if kind == "document":
            if source.get("media_type") != "text/plain":
                yield f"{where}.source.media_type: Input should be 'text/plain'"
        case other:
            yield f"{where}.source: {other} is no source of {kind}"


def _result(block: Json, where: str) -> Iterator[str]:
    if not ID.fullmatch(block.get("tool_use_id", "")):
        yield f"{where}.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    content = block.get("content", [])
    for inner in [] if isinstance(content, str) else content:
        if inner.get("type") not in RESULT_BLOCKS:
            yield f"{where}.content: {inner.get('type')} is not permitted"
        if inner.get("type") == "text" and not inner.get("text", "").strip():
            yield f"{where}.content: text content blocks must be non-empty"
        if block.get("is_error") and inner.get("type") != "text":
            yield f"{where}: all content must be type text if is_error is true"


def _pairs(messages: Sequence[Json]) -> Iterator[str]:
    """Each call has its result at the start of the next message, and results stand nowhere else."""
    for at, message in enumerate(messages):
        content = _content(message)
        results = [block.get("tool_use_id") for block in content if block.get("type") == "tool_result"]
        kinds = [block.get("type") == "tool_result" for block in content]
        if sorted(kinds, reverse=True) != kinds:
            yield f"messages.{at}: tool_result blocks must come first"
        before = _calls(messages[at - 1]) if at else []
        for found in results:
            if found not in before:
                yield f"messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {found}"
        if len(set(results)) != len(results):
            yield f"messages.{at}: each tool_use must have a single result"
        calls = _calls(message)
        after = messages[at + 1] if at + 1 < len(messages) else {}
        answered = [block.get("tool_use_id") for block in _content(after) if block.get("type") == "tool_result"]
        for call in calls:
            if call not in answered:
                yield f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {call}"
        if len(set(calls)) != len(calls):
            yield f"messages.{at}: `tool_use` ids must be unique"


def _system_midway(messages: Sequence[Json], at: int, claude: Claude) -> Iterator[str]:
    if not claude.system_midway:
        yield f"messages.{at}.role: this model does not support system messages"
    if not at or messages[at - 1].get("role") not in ("user", "system"):
        yield f"messages.{at}: a system message must follow a user turn"
    if at + 1 < len(messages) and messages[at + 1].get("role") != "assistant":
        yield f"messages.{at}: a system message must be last or precede an assistant turn"


def _marks(body: Json) -> Iterator[str]:
    """Breakpoints in the order of the prompt: tools, system, messages; the automatic one is the last."""
    blocks = [*(body.get("tools") or ()), *_list(body.get("system"))]
    for message in body.get("messages") or ():
        for block in _content(message):
            inner = block.get("content") if block.get("type") == "tool_result" else None
            blocks += [*_list(inner), block]
    for block in blocks:
        if "cache_control" in block and block.get("type") in ("thinking", "redacted_thinking"):
            yield f"{block['type']}.cache_control: Extra inputs are not permitted"
    marks = [block["cache_control"] for block in [*blocks, body] if block.get("cache_control")]
    if len(marks) > MOST_MARKS:
        yield f"a maximum of {MOST_MARKS} blocks with cache_control may be provided, found {len(marks)}"
    ttls = [mark.get("ttl", "5m") for mark in marks]
    if sorted(ttls) != ttls:  # "1h" before "5m"
        yield "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
    for mark in marks:
        if mark.get("type") != "ephemeral" or mark.get("ttl", "5m") not in ("5m", "1h"):
            yield "cache_control: Input should be ephemeral, for 5m or 1h"


def _tools(body: Json, claude: Claude) -> Iterator[str]:
    tools = body.get("tools") or []
    names = [tool.get("name") for tool in tools if "name" in tool]
    if len(set(names)) != len(names):
        yield "tools: Tool names must be unique."
    for at, tool in enumerate(tools):
        if tool.get("type") in (None, "custom"):
            if not TOOL_NAME.fullmatch(tool.get("name", "")):
                yield f"tools.{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            if tool.get("input_schema", {}).get("type") != "object":
                yield f"tools.{at}.input_schema.type: Field required"
            if tool.get("strict") and not _closed(tool.get("input_schema", {})):
                yield f"tools.{at}: for 'object' type, 'additionalProperties' must be explicitly set to false"
            if tool.get("strict") and not claude.schemas:
                yield f"tools.{at}.strict: this model does not support strict tools"
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not tools:
        yield "tool_choice: may only be specified while providing tools"
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        yield "tool_choice.type: Input should be auto, any, tool or none"
    if choice.get("type") == "tool" and choice.get("name") not in names:
        yield f"tool_choice: Tool '{choice.get('name')}' not found in provided tools"
    if choice.get("type") == "none" and "disable_parallel_tool_use" in choice:
        yield "tool_choice.disable_parallel_tool_use: Extra inputs are not permitted"
    if choice.get("type") in ("any", "tool"):
        if body.get("thinking", {}).get("type") == "enabled":
            yield "Thinking may not be enabled when tool_choice forces tool use."
        if claude.always_thinks:
            yield "tool_choice: this model does not support forced tool use"


def _thinking(body: Json, claude: Claude) -> Iterator[str]:
    thinking = body.get("thinking") or {}
    effort = (body.get("output_config") or {}).get("effort")
    if effort is not None and effort not in EFFORTS:
        yield "output_config.effort: Input should be low, medium, high, xhigh or max"
    if effort is not None and not claude.adapts and claude.version != (4, 5):
        yield "output_config.effort: this model does not support effort"
    if effort == "xhigh" and claude.version < (4, 7):
        yield "output_config.effort: this model does not support xhigh"
    match thinking.get("type"):
        case None:
            return
        case "enabled":
            budget = thinking.get("budget_tokens", 0)
            if not claude.takes_budget:
                yield "thinking.type: enabled is not supported by this model"
            if budget < LEAST_BUDGET:
                yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
            if budget >= body.get("max_tokens", 0):
                yield "`max_tokens` must be greater than `thinking.budget_tokens`"
            yield from _thought_first(body.get("messages") or [])
        case "adaptive":
            if not claude.adapts:
                yield "thinking.type: adaptive is not supported by this model"
        case "disabled":
            if claude.always_thinks:
                yield "thinking.type: disabled is not supported by this model"
            if "display" in thinking:
                yield "thinking.disabled.display: Extra inputs are not permitted"
        case "between_tools":
            pass
        case other:
            yield f"thinking.type: {other} is not known"
    if thinking.get("type") in ("enabled", "adaptive"):
        if body.get("temperature", 1) != 1:
            yield "`temperature` may only be set to 1 when thinking is enabled"
        if "top_k" in body or body.get("top_p", 1) < 0.95:
            yield "`top_k` must be unset and `top_p` at least 0.95 when thinking is enabled"


def _thought_first(messages: Sequence[Json]) -> Iterator[str]:
    """In the turn that is gone on with the model's thinking comes first."""
    at = len(messages) - 1
    if messages and _content(messages[at])[:1] and _content(messages[at])[0].get("type") == "tool_result":
        at -= 1
    if at >= 0 and messages[at].get("role") == "assistant":
        first = _content(messages[at])[0].get("type")
        if first not in ("thinking", "redacted_thinking"):
            yield f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`"


def _format(body: Json, claude: Claude) -> Iterator[str]:
    form = (body.get("output_config") or {}).get("format")
    if form is None:
        return
    if not claude.schemas:
        yield "output_config.format: this model does not support structured outputs"
    if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        yield "output_config.format.schema: Field required"
    elif not _closed(form["schema"]):
        yield "output_config.format.schema: for 'object' type, 'additionalProperties' must be explicitly set to false"


def _closed(schema: Any) -> bool:  # noqa: ANN401 any JSON
    if isinstance(schema, list):
        return all(map(_closed, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return False
    return all(_closed(value) for name, value in schema.items() if name not in ("enum", "const", "default", "examples"))


def _content(message: Json) -> list[Json]:
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _list(content: object) -> list[Json]:
    return list(content) if isinstance(content, list) else []


def _calls(message: Json) -> list[str]:
    return [block.get("id", "") for block in _content(message) if block.get("type") == "tool_use"]


def _is_paused(message: Json) -> bool:
    kinds = [block.get("type", "") for block in _content(message)]
    return any(kind == "server_tool_use" or kind.endswith("_tool_result") for kind in kinds)
