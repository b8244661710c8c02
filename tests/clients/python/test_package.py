"""The client is light to install and to import."""

import subprocess
import sys

import trunkline

# What the extra `gateway` brings and a client has no use for. Health and reflection are not among it: grpc imports
# them by itself wherever they are installed.
HEAVY = ["aiohttp", "opentelemetry", "orjson", "pydantic", "uvloop", "yaml"]


def test_importing_it_imports_nothing_of_the_gateway() -> None:
    code = f"import sys, trunkline; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []


def test_it_exports_what_it_says() -> None:
    assert [name for name in trunkline.__all__ if not hasattr(trunkline, name)] == []
    assert trunkline.__version__.count(".") == 2
