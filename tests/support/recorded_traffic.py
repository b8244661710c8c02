"""Traffic of real providers, recorded by others: kept beside the repository, never in it.

The folder holds one JSON object a line, with the members id, provider, api, status, request_json, response_headers,
response_body and stream.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from repository import ROOT
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target
from wire_answer import error_in

Json = dict[str, Any]

VARIABLE = "TRUNKLINE_RECORDED"
"""The environment variable that names the folder, where it is not beside the repository."""

NO_RECORDS = f"there is no recorded traffic, neither in {VARIABLE} nor beside the repository"

STRANGERS = frozenset({"azure", "crusoe", "snowflake"})
"""Recorded providers of which the provider table has no row; they are reached as `openai_compatible`."""

EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "request": {},
    "answer": {
        "517669563b1e529b": "edited by hand: no chunk has a finish reason, and such a stream counts as broken off",
    },
    "error": {},
}
"""Records that do not keep what they say, by aspect and id, with the reason. What has come to keep it must leave."""

MOST_EXCEPTIONS = 0.005
"""The share of all records that may be exceptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One request to a provider and its answer."""

    id: str
    provider: str
    request: Json | None
    """None: it was not recorded, for its size."""
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    stream: bool

    @property
    def target(self) -> Target:
        """The provider and the model that the request went to."""
        kind = KINDS.get(self.provider, KINDS["openai_compatible"])
        model = self.request["model"] if self.request else "recorded"
        provider = Provider(name=self.provider, kind=kind, base_url=kind.base_url or "http://127.0.0.1:9/v1")
        return Target.of(provider, model)

    @property
    def error(self) -> Json | None:
        """The failure that it tells of, in whatever place; None: it answers."""
        return error_in(self.body, stream=self.stream)


def folder() -> Path:
    """Where the recordings are, or would be."""
    return Path(os.environ.get(VARIABLE) or ROOT.parent / "shared" / "recorded")


@cache
def chat_records() -> tuple[Record, ...]:
    """All recordings of the chat completions API, in the order of their files; none if there is no folder."""
    return tuple(record for path in sorted(folder().glob("*.jsonl")) for record in _chat_records_in(path))


@cache
def records_of(aspect: str) -> tuple[Record, ...]:
    """Those that have the aspect: "request", "answer" or "error"."""
    match aspect:
        case "request":
            return tuple(record for record in chat_records() if record.request is not None)
        case "answer":
            return tuple(record for record in chat_records() if record.error is None)
        case "error":
            return tuple(record for record in chat_records() if record.error is not None)
        case _:
            raise ValueError(f"no aspect is called {aspect}")


def _chat_records_in(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            raw = json.loads(line)
            if raw["api"] == "chat":
                yield _record(raw)


def _record(raw: Json) -> Record:
    request = raw["request_json"]
    return Record(
        id=raw["id"],
        provider=raw["provider"],
        request=request if isinstance(request, dict) and "messages" in request else None,
        status=raw["status"],
        headers={name.lower(): value for name, value in raw["response_headers"].items()},
        body=raw["response_body"].encode(),
        stream=raw["stream"],
    )
