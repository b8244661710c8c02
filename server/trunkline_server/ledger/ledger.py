"""What a ledger can do: take the entry of each request once, whatever way it ended."""

from typing import Protocol

from trunkline_server.values.record import RequestRecord


class Ledger(Protocol):
    """Takes settled requests. It must not block and must not raise: settlement cannot be undone or repeated."""

    def record(self, record: RequestRecord) -> None:
        """Exactly one entry for the request and one for each attempt. The record is not changed afterwards."""
        ...

    async def close(self) -> None:
        """Writes out what is still held."""
        ...
