"""Trunkline's Python client: completions from any model through one gateway.

The messages are in `trunkline.v1`, the failures in `trunkline.errors`.
"""

from trunkline import errors
from trunkline.answer import AnswerBuilder, text_of
from trunkline.async_client import AsyncAnswerStream, AsyncClient
from trunkline.async_session import AsyncSession, AsyncSessionAnswer
from trunkline.client import AnswerStream, Client
from trunkline.context import CallContext
from trunkline.errors import GatewayError
from trunkline.session import Session, SessionAnswer
from trunkline.tls import tls_credentials
from trunkline.v1 import CompleteRequest

__version__ = "0.1.0"

__all__ = [
    "AnswerBuilder",
    "AnswerStream",
    "AsyncAnswerStream",
    "AsyncClient",
    "AsyncSession",
    "AsyncSessionAnswer",
    "CallContext",
    "Client",
    "CompleteRequest",
    "GatewayError",
    "Session",
    "SessionAnswer",
    "__version__",
    "errors",
    "text_of",
    "tls_credentials",
]
