"""What becomes of an exception that nobody expected: a log line without its text, and a typed error."""

import logging
import traceback

from trunkline.errors import InternalError


def report_defect(log: logging.Logger, error: Exception, request_id: str) -> InternalError:
    """Logs where it happened and gives what the caller is told. Its own text stays out: it may quote a prompt."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("request %s failed by a defect of the gateway: %s\n%s", request_id, type(error).__qualname__, frames)
    return InternalError("the gateway failed; its log says more under this request's id")
