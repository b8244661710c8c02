"""A local inference server as discovery sees it: a few paths on a loopback port, and what was asked of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class ModelServer:
    """A running server."""

    port: int
    requests: list[web.Request] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [request.path for request in self.requests]


@asynccontextmanager
async def serving(
    routes: Mapping[str, object], *, headers: Mapping[str, str] | None = None
) -> AsyncIterator[ModelServer]:
    """Serves each path: a handler, or a value as JSON. Whatever else is asked for is 404."""
    server = ModelServer(0)

    async def answer(request: web.Request) -> web.StreamResponse:
        server.requests.append(request)
        if request.path not in routes:
            return web.json_response({"error": "not found"}, status=404)
        route = routes[request.path]
        if callable(route):
            response = await route(request)
            assert isinstance(response, web.StreamResponse)
            return response
        return web.json_response(route, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


def listing(*ids: str, owner: str = "") -> dict[str, object]:
    """A list of models in OpenAI's shape."""
    owned = {"owned_by": owner} if owner else {}
    return {"object": "list", "data": [{"id": model_id, "object": "model", **owned} for model_id in ids]}
