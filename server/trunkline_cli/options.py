"""What the commands that run a gateway are told on the command line, and the exit codes of all commands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

EXIT_OK: Final = 0
EXIT_USAGE: Final = 2
"""The command line is wrong."""
EXIT_STARTUP: Final = 3
"""The configuration is broken, or a port is in use: nothing was served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The flags of `serve`, `core` and `bridge`. None: not given, so the configuration decides."""

    config: Path | None = None
    """The configuration file. None: zero configuration."""
    rest_host: str | None = None
    grpc_host: str | None = None
    rest_port: int | None = None
    grpc_port: int | None = None
    allow_unauthenticated: bool | None = None
    """Serve other addresses than loopback without keys."""
    log_level: str | None = None
    probe: bool = True
    """Whether local engines are looked for after the start, and providers asked for their models."""

    def overrides(self) -> dict[tuple[str, ...], object]:
        """The settings that the flags set, by location, as `trunkline_server.config.loader.load` takes them."""
        found = {
            ("rest", "host"): self.rest_host,
            ("rest", "port"): self.rest_port,
            ("grpc", "host"): self.grpc_host,
            ("grpc", "port"): self.grpc_port,
            ("allow_unauthenticated",): self.allow_unauthenticated,
            ("log", "level"): self.log_level,
        }
        return {location: value for location, value in found.items() if value is not None}
