"""Streamed answers over gRPC, each asked for anew as soon as it ends: as many calls, or as many requests of a session."""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Final, Self

import grpc

from benchmarks.http_client import LoadError
from benchmarks.payloads import KEY
from trunkline.v1 import (
    CompleteRequest,
    ConverseRequest,
    ConverseResponse,
    StartCommand,
    StreamCompleteRequest,
    StreamCompleteResponse,
)
from trunkline.v1.completion_service_pb2 import DESCRIPTOR

_SERVICE: Final = DESCRIPTOR.services_by_name["CompletionService"].full_name
_METADATA: Final = (("authorization", f"Bearer {KEY}"),)


class StreamedAnswers(ABC):
    """So many answers at once, begun `stagger_s` apart, so that they are at every stage at any time."""

    def __init__(self, host: str, request: CompleteRequest, *, count: int, stagger_s: float) -> None:
        self.answers = 0
        self.words = 0
        """Pieces of text that arrived."""
        self.messages = 0
        """What they arrived in."""
        self._host = host
        self._request = request
        self._count = count
        self._stagger_s = stagger_s
        self._tasks: list[asyncio.Task[None]] = []

    def check(self) -> None:
        """Raises LoadError if anything failed."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise LoadError(f"a streamed answer failed: {error}") from error

    async def __aenter__(self) -> Self:
        # A connection of its own: channels of one process share one otherwise.
        self._channel = grpc.aio.insecure_channel(self._host, (("grpc.use_local_subchannel_pool", 1),))
        self._tasks += self._begin(self._channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._channel.close()

    @abstractmethod
    def _begin(self, channel: grpc.aio.Channel) -> list[asyncio.Task[None]]:
        """Starts everything."""


class StreamCalls(StreamedAnswers):
    """A StreamComplete call for each answer."""

    def _begin(self, channel: grpc.aio.Channel) -> list[asyncio.Task[None]]:
        data = StreamCompleteRequest(request=self._request).SerializeToString()
        return [asyncio.create_task(self._repeat(channel, data, number)) for number in range(self._count)]

    async def _repeat(self, channel: grpc.aio.Channel, data: bytes, number: int) -> None:
        await asyncio.sleep(number * self._stagger_s)
        stream: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"/{_SERVICE}/StreamComplete")
        while True:
            call = stream(data, metadata=_METADATA)
            while isinstance(message := await call.read(), bytes):
                self.messages += 1
                for event in StreamCompleteResponse.FromString(message).events:
                    self.words += event.HasField("text")
            self.answers += 1


class SessionRequests(StreamedAnswers):
    """One session for all of them."""

    def _begin(self, channel: grpc.aio.Channel) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._converse(channel))]

    async def _converse(self, channel: grpc.aio.Channel) -> None:
        stream: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(f"/{_SERVICE}/Converse")
        call = stream(metadata=_METADATA)
        # What is read must not wait for what is written.
        names: asyncio.Queue[str] = asyncio.Queue()
        starting = asyncio.create_task(self._name_all(names))
        writing = asyncio.create_task(self._start(call, names))
        try:
            while isinstance(message := await call.read(), bytes):
                self.messages += 1
                response = ConverseResponse.FromString(message)
                if response.HasField("rejected"):
                    raise LoadError(f"a request was rejected: {response.rejected}")
                for batch in response.batches:
                    for event in batch.events:
                        self.words += event.HasField("text")
                    if event.HasField("failed"):
                        raise LoadError(f"a request failed: {event.failed.failure}")
                    if event.HasField("finished"):
                        self.answers += 1
                        names.put_nowait(batch.request_id)
            raise LoadError(f"the session ended: {await call.code()}")
        finally:
            starting.cancel()
            writing.cancel()
            await asyncio.wait((starting, writing))

    async def _name_all(self, names: "asyncio.Queue[str]") -> None:
        for number in range(self._count):
            names.put_nowait(f"r{number}")
            await asyncio.sleep(self._stagger_s)

    async def _start(self, call: "grpc.aio.StreamStreamCall[bytes, bytes]", names: "asyncio.Queue[str]") -> None:
        while True:
            command = ConverseRequest(request_id=await names.get(), start=StartCommand(request=self._request))
            await call.write(command.SerializeToString())


class IdleSessions:
    """So many sessions, opened and then left alone."""

    def __init__(self, host: str, *, count: int, channels: int) -> None:
        self._host = host
        self._count = count
        self._channels = [
            grpc.aio.insecure_channel(host, (("grpc.use_local_subchannel_pool", 1),)) for _ in range(channels)
        ]
        self._calls: list[grpc.aio.StreamStreamCall[bytes, bytes]] = []

    def check(self) -> None:
        """Raises LoadError if any has ended."""
        if ended := [call for call in self._calls if call.done()]:
            raise LoadError(f"{len(ended)} idle sessions ended by themselves")

    async def __aenter__(self) -> Self:
        for number in range(self._count):
            channel = self._channels[number % len(self._channels)]
            stream: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(f"/{_SERVICE}/Converse")
            call = stream(metadata=_METADATA)
            if not isinstance(await call.read(), bytes):
                raise LoadError(f"session {number} did not open: {await call.code()}")
            self._calls.append(call)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for call in self._calls:
            call.cancel()
        for channel in self._channels:
            await channel.close()
