"""A strict reader of requests to Gemini's generateContent: says which of Google's documented rules one breaks.

The rules stand in https://ai.google.dev/api/generate-content, /gemini-api/docs/function-calling,
/gemini-api/docs/thought-signatures and /gemini-api/docs/thinking. It shares no code with the dialect.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

TOP = frozenset(
    {
        "cachedContent",
        "contents",
        "generationConfig",
        "labels",
        "safetySettings",
        "serviceTier",
        "store",
        "systemInstruction",
        "toolConfig",
        "tools",
    }
)
CONTENTS_OF_PARTS = frozenset(
    {
        "codeExecutionResult",
        "executableCode",
        "fileData",
        "functionCall",
        "functionResponse",
        "inlineData",
        "text",
        "toolCall",
        "toolResponse",
    }
)
BESIDE_CONTENTS = frozenset({"mediaResolution", "partMetadata", "thought", "thoughtSignature", "videoMetadata"})
LEVELS = frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"})
MODES = frozenset({"AUTO", "ANY", "NONE", "VALIDATED"})
FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
MOST_STOPS, MOST_CANDIDATES = 5, 8
WARMEST = 2.0
NO_PREFILL, NO_PREFILL_LITE, NO_MINIMAL = 3.6, 3.5, 3.7
"""From which version on, and of which."""


def complaints(body: Json, model: str) -> list[str]:
    """The rules that a request body for this model breaks; none if Google would take it."""
    version = version_of(model)
    return [
        *_unknown(body, TOP, "the body"),
        *_contents(body.get("contents") or [], version),
        *_instruction(body),
        *_generation(body.get("generationConfig") or {}, version),
        *_of_model(body, model, version),
        *_tools(body, version),
    ]


def version_of(model: str) -> float:
    """The generation of a model by its name; 0 if it has none."""
    found = re.search(r"gemini-(\d+(?:\.\d+)?)", model)
    return float(found[1]) if found else 0


def _unknown(holder: Json, known: frozenset[str], where: str) -> Iterator[str]:
    for name in sorted(holder.keys() - known):
        yield f"{where} has no member {name}"


def _contents(contents: Sequence[Json], version: float) -> Iterator[str]:
    if not contents:
        yield "there are no contents"
        return
    if contents[0].get("role") != "user":
        yield "contents[0] is not of the user"
    for at, content in enumerate(contents):
        where = f"contents[{at}]"
        if content.get("role") not in ("user", "model"):
            yield f"{where} has no valid role: user, model"
        if not content.get("parts"):
            yield f"{where} has no parts"
        for number, part in enumerate(content.get("parts") or ()):
            yield from _part(part, content.get("role", ""), f"{where}.parts[{number}]")
        before = contents[at - 1] if at else None
        if (
            before is not None
            and before.get("role") == content.get("role")
            and not _is_result_beside_words(before, content)
        ):
            yield f"{where} is of the same role as the content before it"
    yield from _pairs(contents)
    if version >= 3:
        yield from _signatures(contents)


def _part(part: Json, role: str, where: str) -> Iterator[str]:
    held = CONTENTS_OF_PARTS & part.keys()
    if len(held) != 1:
        yield f"{where} holds {len(held)} contents"
        return
    yield from _unknown(part, CONTENTS_OF_PARTS | BESIDE_CONTENTS, where)
    [kind] = held
    value = part[kind]
    match kind:
        case "functionCall":
            if role != "model":
                yield f"{where}: the model calls, not the user"
            if not value.get("name") or not isinstance(value.get("args", {}), dict):
                yield f"{where}: a call needs a name and an object of arguments"
        case "functionResponse":
            if role != "user":
                yield f"{where}: the user gives results, not the model"
            if not value.get("name") or not isinstance(value.get("response"), dict):
                yield f"{where}: a result needs a name and an object"
        case "inlineData":
            if not value.get("mimeType") or not _is_base64(value.get("data", "")):
                yield f"{where}: bytes need a type, and base64"
        case "fileData":
            if not value.get("fileUri"):
                yield f"{where}: a file needs its address"
        case _:
            pass
    if "thoughtSignature" in part and not _is_base64(part["thoughtSignature"]):
        yield f"{where}: the signature is no base64"


def _pairs(contents: Sequence[Json]) -> Iterator[str]:
    """Calls come right after the user; their results, one for each, in the next content and nowhere else."""
    for at, content in enumerate(contents):
        calls, results = _held(content, "functionCall"), _held(content, "functionResponse")
        if calls:
            if at == 0 or contents[at - 1].get("role") != "user":
                yield f"contents[{at}]: calls come right after a turn of the user"
            answers = _held(contents[at + 1], "functionResponse") if at + 1 < len(contents) else []
            if len(answers) != len(calls):
                yield f"contents[{at}]: {len(calls)} calls and {len(answers)} results"
            elif _named(answers) != _named(calls):
                yield f"contents[{at}]: the results are of other calls"
        if results and (at == 0 or not _held(contents[at - 1], "functionCall")):
            yield f"contents[{at}]: results without calls before them"


def _signatures(contents: Sequence[Json]) -> Iterator[str]:
    """In the current turn, which begins after the user's last words, each step's first call is signed."""
    begins = max((at for at, content in enumerate(contents) if _has_words(content)), default=-1)
    for at in range(begins + 1, len(contents)):
        first = next((part for part in contents[at].get("parts", ()) if "functionCall" in part), None)
        if first is not None and not first.get("thoughtSignature"):
            name = first["functionCall"].get("name")
            yield f"contents[{at}]: function call `{name}` is missing a thought_signature"


def _instruction(body: Json) -> Iterator[str]:
    instruction = body.get("systemInstruction")
    if instruction is not None and any("text" not in part for part in instruction.get("parts") or [{}]):
        yield "systemInstruction is not text"


def _generation(config: Json, version: float) -> Iterator[str]:
    if len(config.get("stopSequences", ())) > MOST_STOPS:
        yield "there are more than five stopSequences"
    if not 0 <= config.get("temperature", 0) <= WARMEST:
        yield "temperature is out of its range"
    if not 1 <= config.get("candidateCount", 1) <= MOST_CANDIDATES:
        yield "candidateCount is out of its range"
    if "responseSchema" in config and "responseJsonSchema" in config:
        yield "there are two schemas"
    if ("responseSchema" in config or "responseJsonSchema" in config) and "responseMimeType" not in config:
        yield "a schema needs responseMimeType"
    if "logprobs" in config and not config.get("responseLogprobs"):
        yield "logprobs needs responseLogprobs"
    if not -(2**31) <= config.get("seed", 0) < 2**31:
        yield "seed has more than 32 bits"
    thinking = config.get("thinkingConfig", {})
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        yield "thinking is asked for by budget and by level"
    if "thinkingLevel" in thinking and not version >= 3:
        yield "the model takes no thinkingLevel"
    if thinking and 0 < version < 2.5:
        yield "the model does not think"


def _of_model(body: Json, model: str, version: float) -> Iterator[str]:
    """What some models refuse; https://ai.google.dev/gemini-api/docs/gemini-3 and /thinking."""
    config: Json = body.get("generationConfig") or {}
    thinking: Json = config.get("thinkingConfig") or {}
    pro = "pro" in model.split("-")
    if version >= NO_PREFILL or (version >= NO_PREFILL_LITE and "lite" in model.split("-")):
        if [content.get("role") for content in body.get("contents") or ()][-1:] == ["model"]:
            yield "contents must not end with a turn of the model"
        if not config.keys().isdisjoint(("frequencyPenalty", "presencePenalty")):
            yield "Penalty is not enabled for this model"
    if pro and thinking.get("thinkingBudget") == 0:
        yield "Budget 0 is invalid. This model only works in thinking mode."
    if (pro or version == NO_MINIMAL) and thinking.get("thinkingLevel") == "MINIMAL":
        yield "Thinking level MINIMAL is not supported for this model."


def _tools(body: Json, version: float) -> Iterator[str]:
    functions = [function for tool in body.get("tools") or () for function in tool.get("functionDeclarations") or ()]
    names = [function.get("name", "") for function in functions]
    for name, count in Counter(names).items():
        if not FUNCTION_NAME.fullmatch(name):
            yield f"{name!r} is no name of a function"
        if count > 1:
            yield f"there are two functions {name}"
    for function in functions:
        if "parameters" in function and "parametersJsonSchema" in function:
            yield f"{function['name']} has two schemas"
        if not isinstance(function.get("parametersJsonSchema", {}), dict):
            yield f"{function['name']} has a schema that is no object"
    choice = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if choice.get("mode", "AUTO") not in MODES:
        yield f"there is no mode {choice['mode']}"
    allowed = choice.get("allowedFunctionNames", [])
    if allowed and choice.get("mode") not in ("ANY", "VALIDATED"):
        yield "allowedFunctionNames stands beside ANY and VALIDATED only"
    for name in allowed:
        if name not in names:
            yield f"no function is called {name}"
    if functions and 0 < version < 3 and "responseMimeType" in body.get("generationConfig", {}):
        yield "function calling with a response mime type is unsupported"


def _held(content: Json, kind: str) -> list[Json]:
    return [part[kind] for part in content.get("parts") or () if kind in part]


def _named(entries: Sequence[Json]) -> Counter[tuple[str, str]]:
    return Counter((entry.get("id", ""), entry.get("name", "")) for entry in entries)


def _has_words(content: Json) -> bool:
    """Whether the user says something, and does not merely give results."""
    return content.get("role") == "user" and any("functionResponse" not in part for part in content.get("parts", ()))


def _is_result_beside_words(one: Json, other: Json) -> bool:
    """Results and the user's next words may be two contents (recorded of the Developer API and of Vertex)."""
    return bool(_held(one, "functionResponse")) != bool(_held(other, "functionResponse"))


def _is_base64(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(
            base64.b64decode(text.translate(str.maketrans("-_", "+/")) + "==") or True
        )
    except binascii.Error:
        return False
