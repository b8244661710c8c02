"""Configuration files for tests, and the provider table that they are read with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from trunkline_server.config.errors import ConfigError
from trunkline_server.config.loader import load
from trunkline_server.config.settings import Settings

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Kind:
    """A row of a provider table, as far as the configuration looks at it."""

    base_url: str = ""
    api_key_env: str = ""
    dialect: str = "openai_chat"
    google_cloud: bool = False
    dialects: tuple[str, ...] = ("openai_chat",)


KINDS = {
    "anthropic": Kind("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "anthropic", dialects=("anthropic",)),
    "openai": Kind("https://api.openai.com/v1", "OPENAI_API_KEY", dialects=("openai_chat", "openai_responses")),
    "openai_compatible": Kind(),
    "vertex": Kind(google_cloud=True),
    "vllm": Kind("http://127.0.0.1:8000/v1"),
}


def load_text(folder: Path, text: str | bytes, environment: Mapping[str, str] = NOTHING) -> Settings:
    """The settings that a file with this text amounts to."""
    path = folder / "trunkline.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return load(path, environment, KINDS)


def problems_of(folder: Path, text: str | bytes, environment: Mapping[str, str] = NOTHING) -> list[str]:
    """What is wrong with a file of this text, as "line:column: path: message"; empty if nothing is."""
    try:
        load_text(folder, text, environment)
    except ConfigError as error:
        prefix = f"{folder / 'trunkline.yaml'}:"
        return [line.removeprefix(prefix).lstrip() for line in str(error).splitlines()]
    return []
