"""Rewrite the tables in docs/providers.md from the provider table and the data of models and prices.

Usage:
    python scripts/gen_provider_table.py           rewrite the tables
    python scripts/gen_provider_table.py --check   fail if the tables are stale
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from trunkline.v1 import Feature, Modality, Pricing, ReasoningEffort
from trunkline_server.providers.chat_quirks import STRANGER, ChatQuirks
from trunkline_server.providers.kind import REQUEST_ID, ProviderKind
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.model_book import ModelBook
from trunkline_server.providers.model_facts import ModelFacts
from trunkline_server.providers.model_prices import ModelPrices
from trunkline_server.providers.price_list import PriceLists

PAGE = Path(__file__).resolve().parents[1] / "docs" / "providers.md"
BEGIN = "<!-- providers: written by scripts/gen_provider_table.py -->"
END = "<!-- end of providers -->"
BEGIN_MODELS = "<!-- models: written by scripts/gen_provider_table.py -->"
END_MODELS = "<!-- end of models -->"

# Prices are shown as of the day of the data of models, so that the table does not change by itself.
NOON_S = 12 * 3600
NANO = 1_000_000_000

# Models by the kind of provider whose own they are, that the table shows.
SHOWN = {
    "openai": (
        "gpt-6.2-astra",
        "gpt-6.2-sol",
        "gpt-6.1-sol",
        "gpt-6.1-terra",
        "gpt-6-astra",
        "gpt-6-sol",
        "gpt-6-luna",
        "gpt-5.6-sol",
        "gpt-5.6-terra",
        "gpt-5.6-luna",
        "gpt-5.5",
        "gpt-5.4",
        "gpt-5.4-mini",
        "gpt-5.4-nano",
        "gpt-5.1",
        "gpt-5",
        "o3",
        "gpt-4.1",
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-audio",
    ),
    "anthropic": (
        "claude-fable-5-2",
        "claude-opus-5-5",
        "claude-opus-5",
        "claude-sonnet-5-5",
        "claude-sonnet-5",
        "claude-haiku-5-5",
        "claude-opus-4-8",
        "claude-opus-4-7",
        "claude-opus-4-6",
        "claude-sonnet-4-6",
        "claude-opus-4-5",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
    ),
    "gemini": (
        "gemini-3.8-flash",
        "gemini-3.7-flash",
        "gemini-3.6-flash",
        "gemini-3.5-flash",
        "gemini-3.1-pro-preview",
        "gemini-2.5-pro",
        "gemini-2.5-flash",
        "gemini-2.5-flash-lite",
    ),
    "deepseek": ("deepseek-v4-pro", "deepseek-flash"),
    "xai": ("grok-4.7", "grok-4.3"),
}
# The lists of the same makers, where their kind of provider has no row of its own.
LISTS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google", "deepseek": "deepseek", "xai": "x-ai"}
# What the table tells of, and what is left to the list of models.
FEATURES = {
    "tools": Feature.FEATURE_TOOLS,
    "forced choice": Feature.FEATURE_FORCED_TOOL_CHOICE,
    "schemas": Feature.FEATURE_JSON_SCHEMA,
    "sampling": Feature.FEATURE_SAMPLING,
    "prefill": Feature.FEATURE_PREFILL,
    "log probabilities": Feature.FEATURE_LOGPROBS,
}

# What ChatQuirks.reasoning_form stands for.
FORMS = {
    "effort": "`reasoning_effort`",
    "thinking": "`reasoning_effort`, `thinking.type`",
    "enabled": "`reasoning_effort`, `reasoning.enabled`",
    "object": "`reasoning`",
}


def main(argument: str = "") -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = [kind for kind in KINDS.values() if kind.transport == "http"]
    chat = [kind for kind in shown if kind.dialect == "openai_chat"]
    fresh = between(page, BEGIN, f"{addresses(shown)}\n\n{departures(chat)}", END)
    fresh = between(fresh, BEGIN_MODELS, models(ModelBook(), PriceLists()), END_MODELS)
    if argument == "--check":
        if fresh != page:
            sys.exit(f"stale: {PAGE.name}, run python scripts/gen_provider_table.py")
    else:
        PAGE.write_text(fresh, encoding="utf-8")


def between(page: str, begin: str, text: str, end: str) -> str:
    """The page with this text between two of its lines."""
    head, _, rest = page.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        sys.exit(f"{PAGE.name} lacks the line {begin} or the line {end}")
    return f"{head}{begin}\n\n{text}\n\n{end}{tail}"


def models(book: ModelBook, lists: PriceLists) -> str:
    """What well-known models can do and cost."""
    at_s = datetime.fromisoformat(book.version).replace(tzinfo=UTC).timestamp() + NOON_S
    heads = ("model", "input", "output", "takes", "gives", "lacks", "thinks", "USD in / cached / out", "ends")
    rows = (
        model(name, book.facts(kind, name), lists.prices(LISTS[kind], name), at_s)
        for kind, names in SHOWN.items()
        for name in names
    )
    return f"Data of {book.version}.\n\n{table(heads, rows)}"


def model(name: str, facts: ModelFacts, prices: ModelPrices | None, at_s: float) -> tuple[str, ...]:
    """One row; what is not known is left empty."""
    pricing = None if prices is None else prices.pricing(at_s)
    ends = facts.shutdown_at_ms and datetime.fromtimestamp(facts.shutdown_at_ms / 1000, UTC).date().isoformat()
    return (
        code(name),
        f"{facts.max_input_tokens:,}" if facts.max_input_tokens else "",
        f"{facts.max_output_tokens:,}" if facts.max_output_tokens else "",
        words(Modality.Name(each).removeprefix("MODALITY_") for each in sorted(facts.input_modalities)),
        words(Modality.Name(each).removeprefix("MODALITY_") for each in sorted(facts.output_modalities)),
        ", ".join(word for word, feature in FEATURES.items() if facts.cannot(feature)),
        words(ReasoningEffort.Name(each).removeprefix("REASONING_EFFORT_") for each in facts.reasoning_efforts)
        or ("no" if facts.cannot(Feature.FEATURE_REASONING) else ""),
        "" if pricing is None else price(pricing),
        ends or "",
    )


def price(pricing: Pricing) -> str:
    """The rates that matter most."""
    known = {field.name: value for field, value in pricing.ListFields()}
    names = ("input_nano_usd_per_million", "cache_read_nano_usd_per_million", "output_nano_usd_per_million")
    return " / ".join(f"{known[name] / NANO:g}" if name in known else "?" for name in names)


def words(names: Iterable[str]) -> str:
    """Names of enum values in lower case."""
    return ", ".join(name.lower() for name in names)


def addresses(kinds: Iterable[ProviderKind]) -> str:
    """Where each kind is, and how it is known."""
    rows = (
        (
            f"`{kind.name}`",
            code(kind.base_url),
            code(kind.api_key_env),
            f"`{kind.telemetry_name or kind.name}`",
            ", ".join(code(dialect) for dialect in kind.dialects),
        )
        for kind in kinds
    )
    return table(("kind", "address", "usual variable", "`gen_ai.provider.name`", "dialects"), rows)


def departures(kinds: Iterable[ProviderKind]) -> str:
    """How each kind departs from OpenAI's wire."""
    heads = ("kind", "not taken", "taken beside", "thinking is asked for by", "and goes back as", "more")
    return table(heads, (departure(kind) for kind in kinds))


def departure(kind: ProviderKind) -> tuple[str, ...]:
    """One row: what a kind takes less and more than most, and what else is odd about it."""
    quirks = kind.chat
    return (
        f"`{kind.name}`",
        names(STRANGER.members - quirks.members),
        names(quirks.members - STRANGER.members),
        thinking(quirks),
        "its `reasoning_details`" if quirks.reasoning_details else code(quirks.reasoning_member),
        "; ".join(oddities(kind)) or "none",
    )


def thinking(quirks: ChatQuirks) -> str:
    """How much thinking is wanted, and the words for it."""
    if "reasoning_effort" not in quirks.members:
        return "none"
    words = "" if quirks.efforts == STRANGER.efforts else f": {', '.join(quirks.efforts)}"
    return f"{FORMS[quirks.reasoning_form]}{words}"


def oddities(kind: ProviderKind) -> Iterable[str]:
    """What is odd about a kind beside its members, in words."""
    quirks = kind.chat
    for member, spelling in sorted(quirks.spellings.items()):
        if member in quirks.members and spelling != STRANGER.spellings.get(member):
            yield f"`{spelling}` for `{member}`"
    if "max_completion_tokens" not in quirks.spellings:
        yield "`max_completion_tokens` and not `max_tokens`"
    if quirks.required_choice not in ("", STRANGER.required_choice):
        yield f"`tool_choice` `{quirks.required_choice}` for `required`"
    if not quirks.required_choice:
        yield "no call can be demanded"
    if "tool_choice" in quirks.members and not quirks.named_tool_choice:
        yield "no tool can be demanded by name"
    if not quirks.stream_usage:
        yield "tells usage unasked"
    if quirks.json_schema == "value":
        yield "`json` with a `value` for a schema"
    elif not quirks.json_schema:
        yield "no schemas"
    if not quirks.json_object:
        yield "no `json_object`"
    if quirks.service_tiers:
        yield f"tiers {', '.join(sorted(quirks.service_tiers))}"
    if quirks.call_id_chars:
        yield f"call ids of {quirks.call_id_chars} letters and digits"
    if quirks.reasoning_with_calls:
        yield "no calls without reasoning"
    if quirks.cost is not None:
        yield f"tells its cost in `usage.{'.'.join(quirks.cost.path)}`"
    if kind.request_id_headers != (REQUEST_ID,):
        yield f"request id in {' or '.join(f'`{name}`' for name in kind.request_id_headers)}"


def names(found: Iterable[str]) -> str:
    """Names in order, as code."""
    return ", ".join(f"`{name}`" for name in sorted(found)) or "none"


def code(text: str) -> str:
    """A text as code; or the word none."""
    return f"`{text}`" if text else "none"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of the page."""
    lines = [tuple(heads), *map(tuple, rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "\n".join(
        f"|{'|'.join(f' {cell} ' for cell in line)}|".replace("| --- ", "|---").replace("--- |", "---|")
        for line in lines
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
