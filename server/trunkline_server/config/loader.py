"""Reads trunkline.yaml: all of it, or an error that tells everything that is wrong with it."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from trunkline_server.config.checks import SURFACES, check
from trunkline_server.config.document import read_document
from trunkline_server.config.environment import with_usual_credentials
from trunkline_server.config.errors import ConfigError, Problem
from trunkline_server.config.kinds import Kinds
from trunkline_server.config.settings import Settings
from trunkline_server.config.validation import NO_OVERRIDES, Overrides, validate

MAX_FILE_BYTES: Final = 1024 * 1024


def load(
    path: Path,
    environment: Mapping[str, str],
    kinds: Kinds,
    *,
    overrides: Overrides = NO_OVERRIDES,
    surfaces: Collection[str] = SURFACES,
) -> Settings:
    """The settings of a file, its variables taken from `environment` and `overrides` put over them.

    Certificates are looked at for the `surfaces` that are served here. A provider without an api_key gets the one in its kind's usual variable, unless it has an address of its own: a
    vendor's key goes to that vendor only. Raises ConfigError with every problem at once.
    """
    source = str(path)
    document = read_document(_read_text(path, source), environment)
    if document.root is None:
        raise ConfigError(source, document.problems)
    validated = validate(document.root, overrides)
    problems = [*document.problems, *validated.problems]
    settings = validated.settings
    if settings is not None:
        settings, findings = with_usual_credentials(settings, kinds, environment)
        findings += check(settings, kinds, lost=validated.lost, surfaces=surfaces)
        problems += [problem for finding in findings if (problem := validated.placed(finding)) is not None]
    if problems or settings is None:
        raise ConfigError(source, problems)
    return settings


def _read_text(path: Path, source: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        # ValueError: a name that no file can have.
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a file's name"
        raise ConfigError(source, [Problem(0, 0, "", f"cannot be read: {reason}")]) from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(source, [Problem(0, 0, "", f"is larger than {MAX_FILE_BYTES // 1024} KiB")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line_start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[line_start : error.start].decode("utf-8-sig", "replace")) + 1
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(source, [Problem(line, column, "", "is not UTF-8 text")]) from None
