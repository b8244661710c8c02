"""Rewrite the table in docs/providers.md from the provider table.

Usage:
    python scripts/gen_provider_table.py           rewrite the table
    python scripts/gen_provider_table.py --check   fail if the table is stale
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from trunkline_server.providers.chat_quirks import STRANGER, ChatQuirks
from trunkline_server.providers.kind import REQUEST_ID, ProviderKind
from trunkline_server.providers.kinds import KINDS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "providers.md"
BEGIN = "<!-- providers: written by scripts/gen_provider_table.py -->"
END = "<!-- end of providers -->"

# What ChatQuirks.reasoning_form stands for.
FORMS = {
    "effort": "`reasoning_effort`",
    "thinking": "`reasoning_effort`, `thinking.type`",
    "enabled": "`reasoning_effort`, `reasoning.enabled`",
    "object": "`reasoning`",
}


def main(argument: str = "") -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        sys.exit(f"{PAGE.name} lacks the line {BEGIN} or the line {END}")
    shown = [kind for kind in KINDS.values() if kind.transport == "http"]
    chat = [kind for kind in shown if kind.dialect == "openai_chat"]
    fresh = f"{head}{BEGIN}\n\n{addresses(shown)}\n\n{departures(chat)}\n\n{END}{tail}"
    if argument == "--check":
        if fresh != page:
            sys.exit(f"stale: {PAGE.name}, run python scripts/gen_provider_table.py")
    else:
        PAGE.write_text(fresh, encoding="utf-8")


def addresses(kinds: Iterable[ProviderKind]) -> str:
    """Where each kind is, and how it is known."""
    rows = (
        (f"`{kind.name}`", code(kind.base_url), code(kind.api_key_env), f"`{kind.telemetry_name or kind.name}`")
        for kind in kinds
    )
    return table(("kind", "address", "usual variable", "`gen_ai.provider.name`"), rows)


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
