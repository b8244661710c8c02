"""Traffic of real providers, recorded by others: kept beside the repository, never in it.

The folder holds one JSON object a line, with the members id, provider, api, url, status, request_json,
response_headers, response_body, body_encoding and stream.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from repository import ROOT

Json = dict[str, Any]

VARIABLE = "TRUNKLINE_RECORDED"
"""The environment variable that names the folder, where it is not beside the repository."""

NO_RECORDS = f"there is no recorded traffic, neither in {VARIABLE} nor beside the repository"

MOST_EXCEPTIONS = 0.005
"""The share of all records of an API that may be exceptions."""

ASPECTS = ("request", "answer", "error")
"""What is checked of records: each test is run for those that have the aspect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One request to a provider and its answer."""

    id: str
    provider: str
    url: str
    request: Json | None
    """None: it was not recorded, for its size."""
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    stream: bool


@dataclass(frozen=True, kw_only=True)
class Recording:
    """All records of one provider API, and how they are read."""

    title: str
    """Names the API in the summary of a run."""
    apis: frozenset[str]
    """What the records' member `api` says."""
    error_in: Callable[[Record], Json | None]
    """The failure that the answer of a record tells of, in whatever place; None: it answers."""
    is_record: Callable[[Json], bool] = lambda _: True
    """Whether a line is of this API: the same address may serve other operations."""
    is_request: Callable[[Json], bool] = lambda _: True
    """Whether what was recorded as the request is one."""
    exceptions: Mapping[str, Mapping[str, str]]
    """Records that do not keep what they say, by aspect and id, with the reason. What has come to keep it must leave."""

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """In the order of their files; none if there is no folder."""
        lines = (raw for raw in _all_records() if raw["api"] in self.apis and self.is_record(raw))
        return tuple(_record(raw, self.is_request) for raw in lines)

    @cached_property
    def by_aspect(self) -> Mapping[str, tuple[Record, ...]]:
        """Those that have the aspect: "request", "answer" or "error"."""
        return {
            "request": tuple(record for record in self.records if record.request is not None),
            "answer": tuple(record for record in self.records if self.error_in(record) is None),
            "error": tuple(record for record in self.records if self.error_in(record) is not None),
        }


def folder() -> Path:
    """Where the recordings are, or would be."""
    return Path(os.environ.get(VARIABLE) or ROOT.parent / "shared" / "recorded")


@cache
def _all_records() -> tuple[Json, ...]:
    return tuple(raw for path in sorted(folder().glob("*.jsonl")) for raw in _lines_of(path))


def _lines_of(path: Path) -> Iterator[Json]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _record(raw: Json, is_request: Callable[[Json], bool]) -> Record:
    request, body = raw["request_json"], raw["response_body"]
    return Record(
        id=raw["id"],
        provider=raw["provider"],
        url=raw["url"],
        request=request if isinstance(request, dict) and is_request(request) else None,
        status=raw["status"],
        headers={name.lower(): value for name, value in raw["response_headers"].items()},
        body=base64.b64decode(body) if raw.get("body_encoding") == "base64" else body.encode(),
        stream=raw["stream"],
    )
