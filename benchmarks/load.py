"""Loads: so many requests at once, so many a second, or so many gRPC calls at once."""

import asyncio
import time
from types import TracebackType
from typing import Final, Self

import grpc

from benchmarks.http_client import Connection, LoadError, connect
from benchmarks.payloads import KEY
from trunkline.v1.completion_service_pb2 import DESCRIPTOR

COMPLETE: Final = f"/{DESCRIPTOR.services_by_name['CompletionService'].full_name}/Complete"


class _HttpLoad:
    """What loads over HTTP have in common: their connections, and what went wrong."""

    def __init__(self, host: str, request: bytes) -> None:
        self.answers = 0
        self._host = host
        self._request = request
        self._connections: list[Connection] = []
        self._failure: LoadError | None = None

    def failed(self, error: LoadError) -> None:
        """The first failure is the one that `check` tells."""
        self._failure = self._failure or error

    def check(self) -> None:
        """Raises LoadError if any request failed."""
        if self._failure is not None:
            raise self._failure

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()


class ClosedLoop(_HttpLoad):
    """Each connection sends its next request as soon as the last one is answered."""

    def __init__(self, host: str, request: bytes, *, connections: int, stagger_s: float = 0) -> None:
        """Connections begin `stagger_s` apart, so that long streams neither begin nor end together."""
        super().__init__(host, request)
        self._count = connections
        self._stagger_s = stagger_s
        self._timers: list[asyncio.TimerHandle] = []

    def answered(self, connection: Connection) -> None:
        """Sends the next one."""
        self.answers += 1
        connection.send(self._request)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in range(self._count):
            connection = await connect(self._host, self)
            self._connections.append(connection)
            self._timers.append(loop.call_later(number * self._stagger_s, connection.send, self._request))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for timer in self._timers:
            timer.cancel()
        await super().__aexit__(kind, error, traceback)


class OpenLoop(_HttpLoad):
    """Sends at a fixed rate, whatever the answers do, over as many connections as that takes."""

    def __init__(self, host: str, request: bytes, *, per_s: float) -> None:
        super().__init__(host, request)
        self.latencies_s: list[float] = []
        """From handing a request to the socket to the last byte of its answer."""
        self._interval_s = 1 / per_s
        self._idle: list[Connection] = []
        self._task: asyncio.Task[None] | None = None

    def answered(self, connection: Connection) -> None:
        """Notes how long it took."""
        self.latencies_s.append(time.perf_counter() - connection.sent_at)
        self.answers += 1
        self._idle.append(connection)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._send())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        await super().__aexit__(kind, error, traceback)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if self._idle:
                connection = self._idle.pop()
            else:
                connection = await connect(self._host, self)
                self._connections.append(connection)
            connection.send(self._request)
            due += self._interval_s
            await asyncio.sleep(max(0, due - loop.time()))


class GrpcLoop:
    """So many unary calls under way at once, over one channel; messages stay bytes on this side."""

    def __init__(self, host: str, request: bytes, *, calls: int) -> None:
        self.answers = 0
        self._host = host
        self._request = request
        self._count = calls
        self._tasks: list[asyncio.Task[None]] = []

    def check(self) -> None:
        """Raises LoadError if any call failed."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise LoadError(f"a gRPC call failed: {error}") from error

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._host)
        self._tasks += (asyncio.create_task(self._call()) for _ in range(self._count))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._channel.close()

    async def _call(self) -> None:
        complete: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(COMPLETE)
        metadata = (("authorization", f"Bearer {KEY}"),)
        while True:
            await complete(self._request, metadata=metadata)
            self.answers += 1
