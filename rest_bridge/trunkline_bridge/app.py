"""The aiohttp application: which URL leads where, and how it is served."""

import logging

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Middleware

from trunkline.gateway import Gateway
from trunkline.running import RunningCalls
from trunkline.trace import CallTracer
from trunkline_bridge.app_keys import BODIES, GATEWAY, RUNNING, SENDING, SETTINGS
from trunkline_bridge.arrivals import SendingTime
from trunkline_bridge.body import BodyBudget
from trunkline_bridge.boundary import answer_errors
from trunkline_bridge.browsers import BrowserPolicy
from trunkline_bridge.compression import compress_answers
from trunkline_bridge.health import healthz, readyz
from trunkline_bridge.openai.chat import create_chat_completion
from trunkline_bridge.openai.completions import create_completion
from trunkline_bridge.openai.models import list_models, retrieve_model
from trunkline_bridge.operations import list_running_requests, list_targets, show_metrics
from trunkline_bridge.settings import BridgeSettings
from trunkline_bridge.tracing import tracing_middleware

# How long calls that a drain has ended may take to tell their clients.
LAST_WORDS_S = 2.0


def create_app(gateway: Gateway, settings: BridgeSettings, tracer: CallTracer | None = None) -> web.Application:
    """The REST surface in front of `gateway`, which it does not own. Serve it with `create_runner`.

    `tracer` records each request; None: no spans go anywhere, and trace context is passed on as it came.
    """
    browsers = BrowserPolicy(settings)
    middlewares: list[Middleware] = [answer_errors, browsers.middleware()]
    if tracer is not None:
        middlewares.insert(0, tracing_middleware(tracer))
    if settings.compress:
        middlewares.insert(0, compress_answers)
    app = web.Application(middlewares=middlewares)
    if browsers.lets_pages_in:
        app.on_response_prepare.append(browsers.add_headers)
    app[GATEWAY] = gateway
    app[SETTINGS] = settings
    app[BODIES] = BodyBudget(settings.max_bytes_in_flight)
    app[SENDING] = SendingTime()
    app[RUNNING] = RunningCalls()
    app.router.add_post("/v1/chat/completions", create_chat_completion)
    app.router.add_post("/v1/completions", create_completion)
    app.router.add_get("/v1/models", list_models)
    app.router.add_get("/v1/models/{id:.+}", retrieve_model)
    app.router.add_get("/health/targets", list_targets)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/debug/requests", list_running_requests)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app


def create_runner(app: web.Application) -> web.AppRunner:
    """How the application is to be served: its handlers rely on these options."""
    settings = app[SETTINGS]
    return web.AppRunner(
        app,
        handler_cancellation=True,  # a client that leaves must reach the provider before the first token, too
        auto_decompress=False,  # bodies are inflated under their limit in `body`
        access_log=None,  # the ledger writes the access line
        logger=_TextlessLogger("trunkline_bridge.http"),
        keepalive_timeout=settings.keepalive_s,
        shutdown_timeout=settings.shutdown_timeout_s,
    )


async def drain_app(app: web.Application, grace_s: float) -> None:
    """For a bridge whose gateway does not drain itself, being a channel: before the runner's clean-up.

    /readyz is 503 and new calls are turned away at once; running ones may take `grace_s` to end, and what is left
    then ends with a typed error.
    """
    await app[RUNNING].drain(grace_s, LAST_WORDS_S)


class _TextlessLogger(logging.Logger):
    """Takes aiohttp's log lines without exceptions: a parser's complaint quotes the bytes, keys included."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.parent = logging.getLogger("trunkline_bridge")

    def handle(self, record: logging.LogRecord) -> None:
        if record.exc_info and (kind := record.exc_info[0]) is not None:
            record.msg = f"{record.msg} ({kind.__qualname__})"
            if issubclass(kind, HttpProcessingError):  # the client's fault, and it was told
                record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
        super().handle(record)
