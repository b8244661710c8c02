"""What becomes of an exception that nobody expected: a log line without its text, and a typed error."""

import logging

from trunkline.errors import InternalError
from trunkline.textless import trace_of


def report_defect(log: logging.Logger, error: Exception, request_id: str) -> InternalError:
    """Logs where it happened and gives what the caller is told. Its own text stays out: it may quote a prompt."""
    name, trace = type(error).__qualname__, trace_of(error)
    log.error("request %s failed by a defect of the gateway: %s\n%s", request_id, name, trace)
    return InternalError("the gateway failed; its log says more under this request's id")
