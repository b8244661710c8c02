"""All sessions of one surface: how many there may be, how long they last, and how they end when it goes away."""

import asyncio
from typing import Final

from trunkline.context import CallContext
from trunkline.errors import OverloadedError, ShuttingDownError
from trunkline.gateway import Gateway
from trunkline.v1 import ListModelsRequest
from trunkline_server.config.settings import SessionSettings
from trunkline_server.sessions.room import Room
from trunkline_server.sessions.session import Read, Session
from trunkline_server.sessions.writer import Write

LAST_STRETCH_S: Final = 30.0
"""How long before its end a session says that it ends; a tenth of its age, if that is less."""
LAST_WORDS_S: Final = 0.5
"""How much earlier than the surface goes away what still runs is ended, so that its client hears of it."""

_TOO_OLD: Final = "the session has lasted as long as it may; ask again in a new one"
_GOING: Final = "the gateway is shutting down; ask again in a new session"


class Sessions:
    """Runs sessions within the limits of the settings."""

    def __init__(self, gateway: Gateway, settings: SessionSettings, *, write_stall_s: float) -> None:
        """A client that takes nothing for `write_stall_s` loses its session."""
        self._gateway = gateway
        self._settings = settings
        self._write_stall_s = write_stall_s
        self._room = Room(settings.max_total_history_bytes)
        self._open: set[Session] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def kept_bytes(self) -> int:
        """How many bytes of conversations are kept, turns that run included."""
        return self._room.used

    async def converse(self, context: CallContext, read: Read, write: Write) -> None:
        """One session, from its client's first command to the last. Raises GatewayError if it ends otherwise."""
        # Requests are authorized one by one; but who may ask for nothing may not stay either.
        await self._gateway.list_models(ListModelsRequest(page_size=1), context)
        if len(self._open) >= self._settings.max_sessions:
            raise OverloadedError(
                f"the gateway holds {len(self._open)} sessions, the most it may; try again later", retry_after_ms=1000
            )
        loop, settings = asyncio.get_running_loop(), self._settings
        room = Room(settings.max_history_bytes, self._room)
        session = Session(self._gateway, context, settings, room, write_stall_s=self._write_stall_s)
        last_s = min(LAST_STRETCH_S, settings.max_age_s / 10)
        aged = loop.call_later(settings.max_age_s - last_s, session.drain, last_s, ShuttingDownError(_TOO_OLD))
        self._open.add(session)
        try:
            await session.run(read, write)
        finally:
            self._open.discard(session)
            aged.cancel()
            room.close()

    def drain(self, grace_s: float) -> None:
        """All sessions take nothing more on and end when nothing runs, or after `grace_s`."""
        for session in self._open:
            session.drain(max(0.0, grace_s - LAST_WORDS_S), ShuttingDownError(_GOING))
