"""Whether a request keeps the contract's rules: every broken one is named with its field."""

import math
from collections.abc import Iterator, Mapping, Sequence

import orjson
from google.protobuf.message import Message as ProtoMessage

from trunkline.errors import InvalidRequestError
from trunkline.v1 import (
    CompleteRequest,
    FieldViolation,
    FormatKind,
    Message,
    Part,
    Role,
    Tool,
)
from trunkline_server.config.settings import Limits

MAX_VIOLATIONS = 10
MAX_IDEMPOTENCY_KEY_BYTES = 255
MAX_METADATA = 16
MAX_CHOICES = 128

RESERVED_EXTENSIONS = frozenset(("base_url", "api_key", "headers", "extra_headers"))

Ranges = Mapping[str, tuple[float, float]]

# Optional numbers and what they may be; see completion.proto.
RANGES: Ranges = {
    "max_output_tokens": (0, 2**31 - 1),
    "temperature": (0, 2),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "top_k": (0, 2**31 - 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "repetition_penalty": (0, math.inf),
    "choice_count": (1, MAX_CHOICES),
    "top_logprobs": (0, 20),
}
ROUTING_RANGES: Ranges = {
    "max_attempts": (1, 100),
    "timeout_ms": (1, 86_400_000),
    "first_token_timeout_ms": (1, 86_400_000),
}

_SPEAKERS = frozenset((Role.ROLE_SYSTEM, Role.ROLE_DEVELOPER, Role.ROLE_USER, Role.ROLE_ASSISTANT))
_ROLES = _SPEAKERS | {Role.ROLE_TOOL}

Violations = Iterator[tuple[str, str]]


def validate(request: CompleteRequest, limits: Limits) -> Sequence[int]:
    """Raises InvalidRequestError with up to ten violations. `prompt` has been folded into `messages` before.

    Gives the places of those messages that hold more than text: who looks for something in particular need not look
    through all of a long conversation again.
    """
    found = []
    special: list[int] = []
    for field, description in _violations(request, limits, special):
        found.append(FieldViolation(field=field, description=description))
        if len(found) == MAX_VIOLATIONS:
            break
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InvalidRequestError(f"{found[0].field}: {found[0].description}{more}", violations=found)
    return special


def _violations(request: CompleteRequest, limits: Limits, special: list[int]) -> Violations:
    if not request.model:
        yield "model", "is required"
    if not request.messages:
        yield "messages", "at least one message is required, or a prompt"
    if len(request.messages) > limits.max_messages:
        yield "messages", f"holds {len(request.messages)} messages, more than the {limits.max_messages} allowed"
        return
    for index, message in enumerate(request.messages):
        if not _is_plain(message):
            special.append(index)
            yield from _message(f"messages[{index}]", message)
    if request.tools:
        yield from _tools(request)
    yield from _ranges("", request, RANGES)
    if request.logit_bias:
        for token, bias in request.logit_bias.items():
            yield from _in_range(f"logit_bias[{token}]", bias, (-100, 100))
    if request.HasField("response_format"):
        yield from _response_format(request)
    if request.HasField("routing"):
        yield from _routing(request)
    if request.idempotency_key and len(request.idempotency_key.encode()) > MAX_IDEMPOTENCY_KEY_BYTES:
        yield "idempotency_key", f"is longer than {MAX_IDEMPOTENCY_KEY_BYTES} bytes"
    if len(request.metadata) > MAX_METADATA:
        yield "metadata", f"holds more than {MAX_METADATA} labels"
    if request.extensions:
        for key, text in request.extensions.items():
            yield from _extension(f"extensions[{key}]", text)


def _is_plain(message: Message) -> bool:
    """Nothing but text by somebody who may say it: nearly all there is, and nothing can be wrong with it."""
    if message.role not in _SPEAKERS or not message.parts:
        return False
    for part in message.parts:  # noqa: SIM110 all() makes a generator, for each message of each request
        if not part.HasField("text"):
            return False
    return True


def _message(field: str, message: Message) -> Violations:
    role = message.role
    if role not in _ROLES:
        yield f"{field}.role", "is one of system, developer, user, assistant, tool"
        return
    if not message.parts and role != Role.ROLE_ASSISTANT:
        yield f"{field}.parts", "at least one part is required"
    for index, part in enumerate(message.parts):
        yield from _part(f"{field}.parts[{index}]", part, part.WhichOneof("content"), role)


def _part(field: str, part: Part, kind: str | None, role: "Role.ValueType") -> Violations:
    if kind is None:
        yield field, "has no content"
    elif kind == "tool_result":
        if role != Role.ROLE_TOOL:
            yield field, "a tool_result stands in a message of role tool only"
        if not part.tool_result.call_id:
            yield f"{field}.tool_result.call_id", "is required: the id of the call it answers"
        for index, inner in enumerate(part.tool_result.parts):
            inner_kind = inner.WhichOneof("content")
            if inner_kind == "json":
                yield from _json(f"{field}.tool_result.parts[{index}].json", inner.json)
            elif inner_kind in (None, "tool_result", "tool_call"):
                yield f"{field}.tool_result.parts[{index}]", "is text, json, a medium or opaque"
    elif role == Role.ROLE_TOOL:
        yield field, "a message of role tool holds tool_result parts only"
    elif kind == "tool_call":
        if role != Role.ROLE_ASSISTANT:
            yield field, "a tool_call stands in a message of role assistant only"
        if not part.tool_call.name:
            yield f"{field}.tool_call.name", "is required"
    elif kind in ("image", "file", "audio", "video"):
        media = getattr(part, kind).media
        if media.WhichOneof("source") is None and not (kind == "audio" and part.audio.id):
            yield f"{field}.{kind}.media", "needs one of data, url and file_id"
    elif kind == "json":
        yield from _json(f"{field}.json", part.json)


def _tools(request: CompleteRequest) -> Violations:
    names = set()
    for index, tool in enumerate(request.tools):
        field = f"tools[{index}]"
        if not tool.name:
            if not tool.HasField("server"):
                yield f"{field}.name", "is required"
        elif tool.name in names:
            yield f"{field}.name", f"another tool is called {tool.name[:64]!r}"
        names.add(tool.name)
        yield from _tool_json(field, tool)
    for name in request.tool_choice.names:
        if name not in names:
            yield "tool_choice.names", f"no tool is called {name[:64]!r}"


def _tool_json(field: str, tool: Tool) -> Violations:
    if tool.parameters:
        yield from _json(f"{field}.parameters", tool.parameters)
    if tool.output_schema:
        yield from _json(f"{field}.output_schema", tool.output_schema)
    if tool.HasField("server"):
        if not tool.server.dialect or not tool.server.type:
            yield f"{field}.server", "needs dialect and type"
        if tool.server.settings:
            yield from _json(f"{field}.server.settings", tool.server.settings)


def _response_format(request: CompleteRequest) -> Violations:
    wanted = request.response_format
    if wanted.kind == FormatKind.FORMAT_KIND_JSON_SCHEMA:
        if wanted.schema:
            yield from _json("response_format.schema", wanted.schema)
        else:
            yield "response_format.schema", "is required for a JSON Schema format"


def _routing(request: CompleteRequest) -> Violations:
    yield from _ranges("routing.", request.routing, ROUTING_RANGES)
    if request.routing.strategy:
        yield "routing.strategy", "the model has no strategies to choose from"


def _ranges(prefix: str, message: ProtoMessage, ranges: Ranges) -> Violations:
    for name, bounds in ranges.items():
        if message.HasField(name):
            yield from _in_range(f"{prefix}{name}", getattr(message, name), bounds)


def _in_range(field: str, value: float, bounds: tuple[float, float]) -> Violations:
    low, high = bounds
    if not low <= value <= high or math.isinf(value):  # NaN is in no range
        yield field, f"is a number from {low:g} to {high:g}" if high < math.inf else f"is a number, {low:g} or more"


def _json(field: str, text: str) -> Violations:
    # Such texts are embedded in provider requests as they are: one that is not a JSON value could say anything there.
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        yield field, "is not valid JSON"


def _extension(field: str, text: str) -> Violations:
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:
        members = None
    if not isinstance(members, dict):
        yield field, "is not a JSON object"
        return
    for name in RESERVED_EXTENSIONS & members.keys():
        yield f"{field}.{name}", "is reserved: addresses and credentials are the operator's"
