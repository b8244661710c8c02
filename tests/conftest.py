"""What holds for every test: no network but loopback, and nothing of the developer's own environment."""

import fnmatch
import gc
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

import network_guard

# Variables that would change what the gateway or a client under test does.
FOREIGN_VARIABLES = ("*_API_KEY", "*_PROXY", "*_proxy", "OLLAMA_*", "OPENAI_*", "OTEL_*", "TRUNKLINE_*")
OWN_VARIABLES = {"TRUNKLINE_RECORDED"}  # where tests/recorded finds its data


def pytest_configure() -> None:
    """Before anything is collected: modules of tests are watched, too."""
    network_guard.install()
    # A claim about all inputs says nothing about how long the machine took over one of them.
    settings.register_profile("trunkline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("trunkline")
    names = os.environ.keys() - OWN_VARIABLES
    for name in [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in FOREIGN_VARIABLES)]:
        del os.environ[name]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Collects no garbage meanwhile.

    A report parses sources. In CPython 3.11 a callback of the collector, such as Hypothesis's, may let another thread
    parse in the middle of that, and the SystemError that follows ends the whole run.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        if enabled:
            gc.enable()


@pytest.fixture(autouse=True)
def stay_on_loopback() -> Iterator[None]:
    """Fails a test that reached for another machine, even if the code under test swallowed the refusal."""
    network_guard.refused.clear()
    yield
    assert not network_guard.refused, f"tests stay on loopback; this one tried {', '.join(network_guard.refused)}"
