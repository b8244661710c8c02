"""The least that a reverse proxy on aiohttp does: parse the JSON both ways and pass it on. The gateway's baseline.

Run as `python -m benchmarks.bare_proxy http://HOST:PORT`, it prints the address it listens on and serves until it is
ended.
"""

import asyncio
import sys
from typing import Final

import aiohttp
import orjson
import uvloop
from aiohttp import web

from benchmarks.payloads import PATH

SESSION: Final = web.AppKey("session", aiohttp.ClientSession)
UPSTREAM: Final = web.AppKey("upstream", str)


async def pass_on(request: web.Request) -> web.StreamResponse:
    """A chat completion, whole or streamed."""
    body = orjson.loads(await request.read())
    headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-upstream"}
    upstream = request.app[SESSION].post(request.app[UPSTREAM], data=orjson.dumps(body), headers=headers)
    async with upstream as answer:
        if body.get("stream"):
            return await _pass_stream(request, answer)
        parsed = orjson.loads(await answer.read())
        return web.Response(status=answer.status, body=orjson.dumps(parsed), content_type="application/json")


async def _pass_stream(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    pending = b""
    async for piece in answer.content.iter_any():
        *events, pending = (pending + piece).split(b"\n\n")
        await response.write(b"".join(map(_event, events)))
    return response


def _event(event: bytes) -> bytes:
    data = event.removeprefix(b"data: ")
    return event + b"\n\n" if data == b"[DONE]" else b"data: " + orjson.dumps(orjson.loads(data)) + b"\n\n"


async def serve(upstream: str) -> None:
    """Until it is cancelled."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:
        app = web.Application()
        app[SESSION], app[UPSTREAM] = session, upstream + PATH
        app.router.add_post(PATH, pass_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        print(f"{host}:{port}", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
