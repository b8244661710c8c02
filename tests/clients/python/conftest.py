"""What the tests of the Python client share."""

import socket

import pytest


@pytest.fixture
def free_port() -> int:
    """A port of loopback at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
