"""How much the gateway takes on at once."""

import asyncio
from dataclasses import dataclass

from trunkline.errors import OverloadedError, ShuttingDownError


@dataclass(slots=True)
class Admission:
    """Counts requests and bytes in flight; beyond the limits callers are turned away at once, never queued."""

    max_requests: int
    max_bytes: int
    retry_after_ms: int
    requests: int = 0
    size_bytes: int = 0
    draining: bool = False
    _empty: asyncio.Future[None] | None = None

    def enter(self, size_bytes: int) -> None:
        """Takes one request on; `leave` must follow. Raises OverloadedError or ShuttingDownError."""
        if self.draining:
            raise ShuttingDownError(
                "the gateway is shutting down; send the request again", retry_after_ms=self.retry_after_ms
            )
        if self.requests >= self.max_requests:
            raise OverloadedError(
                f"the gateway is answering {self.requests} requests, the most it takes at once; try again later",
                retry_after_ms=self.retry_after_ms,
            )
        if self.size_bytes + size_bytes > self.max_bytes and self.requests:
            raise OverloadedError(
                "the requests being answered hold as many bytes as the gateway allows; try again later",
                retry_after_ms=self.retry_after_ms,
            )
        self.requests += 1
        self.size_bytes += size_bytes

    def leave(self, size_bytes: int) -> None:
        """A request that `enter` took on, with as many bytes, is over."""
        self.requests -= 1
        self.size_bytes -= size_bytes
        if self._empty is not None and self.requests == 0 and not self._empty.done():
            self._empty.set_result(None)

    async def drain(self, timeout_s: float) -> bool:
        """Takes nothing more on and waits until nothing is left; False if time ran out first."""
        self.draining = True
        if self.requests == 0:
            return True
        self._empty = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait([self._empty], timeout=timeout_s)
        return bool(done)
